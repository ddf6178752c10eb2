"""A member of the room "lobby" on python3-websockets: rooms.py URL. Says hello, waits for an answer, is
refused another room. Prints "ok"."""

import asyncio
import json
import sys

import websockets


async def main(url):
    async with websockets.connect(url) as socket:

        async def say(**message):
            await socket.send(json.dumps(message))

        async def hear():
            return json.loads(await asyncio.wait_for(socket.recv(), 10))

        await say(type="join", room="staff", id=1)
        refused = await hear()
        assert (refused["code"], refused["id"]) == ("access_denied", 1), refused
        await say(type="join", room="lobby")
        assert await hear() == {"type": "joined", "room": "lobby"}
        await say(type="message", room="lobby", payload="hello from python")
        own = {"type": "message", "room": "lobby", "from": "python", "payload": "hello from python"}
        assert await hear() == own
        answer = {"type": "message", "room": "lobby", "from": "bob", "payload": "hello python"}
        assert await hear() == answer
        await say(type="leave", room="lobby")
        assert await hear() == {"type": "left", "room": "lobby"}
    print("ok")


asyncio.run(main(*sys.argv[1:]))
