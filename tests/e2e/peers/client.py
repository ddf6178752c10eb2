"""An echo client on python3-websockets: client.py URL TOKEN PLACE, where PLACE is header, subprotocol
or query. Prints "ok", or "refused STATUS"."""

import asyncio
import sys

import websockets


async def main(url, token, place):
    options = {}
    if place == "header":
        # websockets 14 renamed the argument.
        name = "extra_headers" if int(websockets.__version__.split(".")[0]) < 14 else "additional_headers"
        options[name] = {"Authorization": f"Bearer {token}"}
    elif place == "subprotocol":
        options["subprotocols"] = ["chat", f"bearer.{token}"]
    else:
        url += f"?token={token}"
    try:
        async with websockets.connect(url, max_size=None, **options) as socket:
            for message in ["héllo wörld", bytes(range(256)), "x" * 60_000, "", b""]:
                await socket.send(message)
                assert await socket.recv() == message
            await socket.send(["in ", "pieces"])
            assert await socket.recv() == "in pieces"
            await (await socket.ping())
            if place == "subprotocol":
                assert socket.subprotocol == "chat"
            await socket.close(4321, "bye")
            assert socket.close_code == 4321, socket.close_code
        print("ok")
    except Exception as error:  # the class of a refusal depends on the release
        status = getattr(error, "status_code", None) or getattr(
            getattr(error, "response", None), "status_code", None
        )
        if status is None:
            raise
        print("refused", status)


asyncio.run(main(*sys.argv[1:4]))
