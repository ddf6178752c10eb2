#!/usr/bin/python3
"""A room in a terminal: room_client.py URL --token TOKEN [--room ROOM]
Says each line that is typed, prints what is said, and connects again when its connection is lost."""

import argparse
import asyncio
import json
import sys
import threading

import websockets

FAILURES_MAX = 20  # one after the other
PAUSE_SECONDS = 0.5
ANSWER_SECONDS = 5


class Refused(Exception):
    """There is no use in trying again."""


def status_of(error):
    # websockets 14 moved it.
    return getattr(error, "status_code", None) or getattr(
        getattr(error, "response", None), "status_code", None
    )


def connect(url, token):
    old = int(websockets.__version__.split(".")[0]) < 14
    name = "extra_headers" if old else "additional_headers"
    return websockets.connect(url, **{name: {"Authorization": f"Bearer {token}"}})


def instance_of(socket):
    # websockets 13 moved the response. The load balancer of deploy/cluster names the instance.
    fields = socket.response.headers if hasattr(socket, "response") else socket.response_headers
    return fields.get("X-Instance", "the gateway")


# What stdin has, line by line, and None at its end. In a thread: not every stdin can be waited for.
def read_lines():
    lines = asyncio.Queue()
    loop = asyncio.get_running_loop()

    def read():
        for line in sys.stdin:
            loop.call_soon_threadsafe(lines.put_nowait, line.rstrip("\n"))
        loop.call_soon_threadsafe(lines.put_nowait, None)

    threading.Thread(target=read, daemon=True).start()
    return lines


class Room:
    def __init__(self, socket, name):
        self.socket = socket
        self.name = name
        self.unheard = []  # what it said and has not heard yet
        self.all_heard = asyncio.Event()

    async def send(self, **message):
        await self.socket.send(json.dumps({**message, "room": self.name}))

    async def join(self):
        await self.send(type="join")
        answer = json.loads(await asyncio.wait_for(self.socket.recv(), ANSWER_SECONDS))
        if answer["type"] != "joined":
            raise Refused(answer.get("message", answer))

    # Until the connection is closed.
    async def hear(self):
        while True:
            text = await self.socket.recv()
            message = json.loads(text)
            if message["type"] == "message":
                print(f"< {message.get('from', 'somebody')}: {message['payload']}", flush=True)
            else:
                print(f"< {message.get('message', text)}", flush=True)
            if message.get("payload") in self.unheard:
                self.unheard.remove(message["payload"])
            if not self.unheard:
                self.all_heard.set()

    # Until there are no more lines, and what it said has come back.
    async def speak(self, lines):
        while (line := await lines.get()) is not None:
            self.all_heard.clear()
            self.unheard.append(line)
            await self.send(type="message", payload=line)
        if self.unheard:
            await asyncio.wait_for(self.all_heard.wait(), ANSWER_SECONDS)


async def converse(room, lines):
    tasks = [asyncio.create_task(room.hear()), asyncio.create_task(room.speak(lines))]
    try:
        done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        for task in done:
            task.result()
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


async def main():
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("url")
    arguments.add_argument("--token", required=True, help="sent as Authorization: Bearer")
    arguments.add_argument("--room", default="lobby")
    chosen = arguments.parse_args()

    lines = read_lines()
    failures = 0
    while failures < FAILURES_MAX:
        try:
            async with connect(chosen.url, chosen.token) as socket:
                room = Room(socket, chosen.room)
                await room.join()
                print(f"in the room {chosen.room}, by way of {instance_of(socket)}", flush=True)
                failures = 0
                await converse(room, lines)
                return
        except websockets.ConnectionClosed as error:
            print(f"closed: {error}; connecting again", flush=True)
        except websockets.WebSocketException as error:
            if status_of(error) != 503:  # nobody there at the moment
                raise Refused(status_of(error) or error) from error
        except OSError:
            pass
        failures += 1
        await asyncio.sleep(PAUSE_SECONDS)
    raise Refused("nobody is there")


try:
    asyncio.run(main())
except Refused as refusal:
    sys.exit(f"refused: {refusal}")
except KeyboardInterrupt:
    pass
