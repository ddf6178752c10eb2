#!/usr/bin/python3
"""A WebSocket service that knows nothing of authentication: it greets whoever the gateway says it is,
and echoes. demo_backend.py PORT [ADDRESS], on 127.0.0.1 if none is given."""

import asyncio
import signal
import sys
import urllib.parse

import websockets


def subject_of(socket):
    # websockets 13 moved the request.
    fields = socket.request.headers if hasattr(socket, "request") else socket.request_headers
    return urllib.parse.unquote(fields.get("X-Gatehouse-Subject", "nobody I know"))


async def serve_client(socket, _path=None):
    subject = subject_of(socket)
    print(f"demo backend: {subject} is here", flush=True)
    try:
        await socket.send(f"hello, {subject}")
        async for message in socket:
            await socket.send(message)
    except websockets.ConnectionClosed:
        pass
    print(f"demo backend: {subject} has left", flush=True)


async def main(port, address="127.0.0.1"):
    ended = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, ended.set)
    async with websockets.serve(serve_client, address, port):
        print(f"demo backend: listening on {address}:{port}", flush=True)
        await ended.wait()


asyncio.run(main(int(sys.argv[1]), *sys.argv[2:3]))
