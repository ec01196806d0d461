#!/usr/bin/env python3
"""Echo-san, a bot for the chat: joins the room and answers, until Ctrl-C.

Usage: python bot.py [ws://localhost:8080/chat] [--name Echo-san]
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import re
import secrets
import signal
import sys
from datetime import datetime
from urllib.parse import quote

from itoden import ConnectionClosed, InvalidHandshake, InvalidURI, connect

# Every answer starts with this sign, and what starts with it is not answered: two bots would never end.
SIGN = "🧵"

HELP = "Say hello, my name and something, or one of: !help · !time · !roll 2d6"

LONGEST_ECHO = 200
FIRST_DELAY = 1.0
LONGEST_DELAY = 30.0


class Refused(Exception):
    """The server won't have this bot, so there is no point in coming back."""


def answer(text: str, sender: str, me: str) -> str | None:
    """What the bot called `me` says to this, or None where it keeps quiet."""
    if text.startswith(SIGN):
        return None
    said = text.strip()
    command, _, argument = said.partition(" ")
    match command.lower():
        case "!help":
            return HELP
        case "!time":
            return f"Here it is {datetime.now().astimezone():%H:%M:%S (UTC%z) on %A, %d %B %Y}."
        case "!roll":
            return roll(argument.strip() or "1d6", sender)
    if re.fullmatch(r"(hello|hi|hey|good (morning|evening))\W*", said, re.IGNORECASE):
        return f"Hello, {sender}! {HELP}"
    if addressed := re.match(rf"@?{re.escape(me)}(?!\w)[\s,:!.?]*(.*)", said, re.IGNORECASE | re.DOTALL):
        words = addressed[1]
        if not words:
            return f"Yes, {sender}? {HELP}"
        if len(words) > LONGEST_ECHO:
            words = words[:LONGEST_ECHO] + "…"
        return f"{sender}, at my end of the string I hear: {words}"
    return None


def roll(dice: str, sender: str) -> str:
    """Rolls dice such as 2d6."""
    asked = re.fullmatch(r"(\d{0,2})d(\d{1,4})", dice, re.IGNORECASE)
    count, sides = (int(asked[1] or 1), int(asked[2])) if asked else (0, 0)
    if not (1 <= count <= 20 and 2 <= sides <= 1000):
        return f"I can roll 1d2 to 20d1000, {sender}, but not {dice[:20]!r}."
    eyes = [1 + secrets.randbelow(sides) for _ in range(count)]
    sum_of_many = f" = {sum(eyes)}" if count > 1 else ""
    return f"{sender} rolls {count}d{sides}: {' + '.join(map(str, eyes))}{sum_of_many}"


async def chat(uri: str) -> None:
    """Stays in the room for as long as the connection lasts."""
    async with connect(uri) as ws:
        me = ""
        async for message in ws:
            event = json.loads(message)
            match event["type"]:
                case "welcome":
                    me = event["you"]
                    print(f"In the room as {me}, with {len(event['people']) - 1} others", flush=True)
                case "message" if event["name"] != me:
                    if reply := answer(event["text"], event["name"], me):
                        await ws.send(f"{SIGN} {reply}")
                case "error":
                    print(f"The server says: {event['message']}", file=sys.stderr)


async def stay(uri: str) -> None:
    """Joins, and comes back when the connection is lost: later and later while that fails."""
    delay = FIRST_DELAY
    while True:
        joined = asyncio.get_running_loop().time()
        reason = "closed"
        try:
            await chat(uri)
        except ConnectionClosed as closed:
            if closed.rcvd is not None and closed.rcvd.code == 1008:
                raise Refused(closed.rcvd.reason) from closed
            reason = str(closed)
        except (OSError, InvalidHandshake) as error:
            reason = str(error)
        if asyncio.get_running_loop().time() - joined > LONGEST_DELAY:
            delay = FIRST_DELAY
        print(f"Connection lost ({reason}); next try in {delay:.0f} s", file=sys.stderr)
        await asyncio.sleep(delay)
        delay = min(LONGEST_DELAY, delay * 2)


async def main(uri: str, name: str) -> None:
    bot = asyncio.current_task()
    # Ctrl-C cancels the task by itself. Windows has no SIGTERM handlers.
    if bot is not None:
        with contextlib.suppress(NotImplementedError):
            asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, bot.cancel)
    with contextlib.suppress(asyncio.CancelledError):
        await stay(f"{uri}?name={quote(name)}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description="A bot for the chat.")
    parser.add_argument(
        "uri", nargs="?", default="ws://localhost:8080/chat", help="the room (default: %(default)s)"
    )
    parser.add_argument("--name", default="Echo-san", help="what the bot is called (default: %(default)s)")
    arguments = parser.parse_args()
    try:
        asyncio.run(main(arguments.uri, arguments.name))
    except KeyboardInterrupt:
        pass
    except Refused as refused:
        sys.exit(f"The room refused the bot: {refused}")
    except InvalidURI as error:
        sys.exit(str(error))
