"""An echo client on python3-websockets that says who it is in its first message: first_message.py URL
TOKEN. Prints "ok"."""

import asyncio
import json
import sys

import websockets


async def main(url, token):
    async with websockets.connect(url, subprotocols=["chat"]) as socket:
        assert socket.subprotocol == "chat"
        await socket.send(json.dumps({"type": "auth", "token": token}))
        answer = json.loads(await socket.recv())
        assert answer["type"] == "authenticated" and answer["subject"] == "alice", answer
        for message in ["héllo", b"\x00\xff", "x" * 60_000]:
            await socket.send(message)
            assert await socket.recv() == message
    async with websockets.connect(url) as socket:
        await socket.send(json.dumps({"type": "auth", "token": "no"}))
        try:
            await socket.recv()
            raise AssertionError("a message")
        except websockets.ConnectionClosed as closed:
            assert socket.close_code == 4401, closed
    print("ok")


asyncio.run(main(*sys.argv[1:3]))
