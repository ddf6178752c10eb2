#!/usr/bin/python3
"""A WebSocket client for trying a gateway: demo_client.py URL [--token TOKEN] [MESSAGE]...
Sends each message, prints what comes back, and says so if it is refused."""

import argparse
import asyncio
import sys

import websockets

ANSWER_SECONDS = 5


def status_of(error):
    # websockets 14 moved it.
    return getattr(error, "status_code", None) or getattr(
        getattr(error, "response", None), "status_code", None
    )


async def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("url")
    arguments.add_argument("--token", help="sent as Authorization: Bearer")
    arguments.add_argument("messages", nargs="*", metavar="MESSAGE")
    chosen = arguments.parse_intermixed_args()

    options = {}
    if chosen.token:
        old = int(websockets.__version__.split(".")[0]) < 14
        name = "extra_headers" if old else "additional_headers"
        options[name] = {"Authorization": f"Bearer {chosen.token}"}
    try:
        async with websockets.connect(chosen.url, **options) as socket:
            print("accepted")
            print("<", await asyncio.wait_for(socket.recv(), ANSWER_SECONDS))
            for message in chosen.messages:
                print(">", message)
                await socket.send(message)
                print("<", await asyncio.wait_for(socket.recv(), ANSWER_SECONDS))
        return 0
    except websockets.ConnectionClosed as error:
        print(f"closed: {error}")
    except OSError as error:
        print(f"no connection: {error}")
    except websockets.WebSocketException as error:
        print(f"refused: {status_of(error) or error}")
    return 1


sys.exit(asyncio.run(main()))
