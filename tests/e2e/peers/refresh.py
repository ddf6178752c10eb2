"""A client whose token ends soon, on python3-websockets: refresh.py URL TOKEN ANOTHER. Waits to be told,
gives the other token, stays until the first has ended, is in a room meanwhile. Prints "ok"."""

import asyncio
import json
import sys

import websockets


async def main(url, token, another):
    # websockets 14 renamed the argument.
    name = "extra_headers" if int(websockets.__version__.split(".")[0]) < 14 else "additional_headers"
    async with websockets.connect(url, **{name: {"Authorization": f"Bearer {token}"}}) as socket:

        async def hear():
            return json.loads(await socket.recv())

        async def say(**message):
            await socket.send(json.dumps(message))

        warning = await hear()
        assert warning["type"] == "expiring", warning
        await say(type="join", room="lobby")
        assert (await hear())["type"] == "joined"
        await say(type="refresh", token=another, id=1)
        answer = await hear()
        assert answer["type"] == "refreshed" and answer["id"] == 1, answer
        await asyncio.sleep(warning["expires_in"] + 1)
        await say(type="message", room="lobby", payload="still here")
        assert (await hear())["payload"] == "still here"
    print("ok")


asyncio.run(main(*sys.argv[1:4]))
