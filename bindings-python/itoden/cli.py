"""A WebSocket client for the terminal: `itoden URI`, or `python -m itoden URI`."""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import os
import ssl
import sys
import threading
from collections.abc import Callable, Iterator, Sequence
from typing import Any

from . import __version__
from .callbacks import Connection, Listener, connect
from .exceptions import ConcurrencyError, ConnectionClosed, InvalidStatus, SendError, WebSocketException
from .frames import Close, CloseCode
from .typing import Data
from .uri import parse_uri

try:
    import readline
except ImportError:  # not everywhere; lines can't be edited then, and what was typed is not drawn again
    readline = None  # type: ignore[assignment]

__all__ = ["main"]

_HELP = """\
A line is sent as a text message; one that begins with a slash is a command:
  /binary HEX...         sends a binary message, as /binary 48 69 0a
  /ping [TEXT]           sends a ping
  /pong [TEXT]           sends a pong that nobody asked for
  /close [CODE [REASON]] closes the connection; 1000 by default
  /help                  shows this
  //TEXT                 sends /TEXT as a text message
The end of the input closes the connection with 1000: Ctrl-D at once, that of a pipe after --wait."""

_PROMPT = "> "


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="itoden",
        description="A WebSocket client for the terminal: shows what comes and sends what you type.",
        epilog=_HELP,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    add = parser.add_argument
    add("uri", nargs="?", help="where to connect to: ws://host/path or wss://host/path")
    add("--version", action="version", version=f"itoden {__version__}")
    add("-H", "--header", action="append", default=[], metavar="'NAME: VALUE'", type=_header,
        help="a header field of the request; can be given several times")  # fmt: skip
    add("--subprotocol", action="append", default=[], metavar="NAME",
        help="a subprotocol that is wanted; can be given several times")  # fmt: skip
    add("--origin", metavar="ORIGIN", help="the value of Origin")
    add("--user-agent", metavar="TEXT", help="the value of User-Agent")
    add("--insecure", action="store_true", help="trust any certificate of the server")
    add("--proxy", metavar="URI", help="a proxy; by default that of the environment")
    add("--no-proxy", action="store_true", help="use no proxy")
    add("--no-compression", action="store_true", help="offer no permessage-deflate")
    add(
        "--max-size", type=int, metavar="BYTES", help="the largest message that is taken; no limit by default"
    )
    add("--ping-interval", type=float, metavar="SECONDS", help="send pings; none by default")
    add("--open-timeout", type=float, default=10.0, metavar="SECONDS",
        help="how long connecting may take; 10 by default")  # fmt: skip
    add("--wait", type=float, default=0.5, metavar="SECONDS",
        help="how long the server is silent before the end of a pipe closes; 0.5 by default")  # fmt: skip
    return parser


def _header(text: str) -> tuple[str, str]:
    name, colon, value = text.partition(":")
    if not colon or not name.strip():
        raise argparse.ArgumentTypeError(f"{text!r} is no header field; write 'Name: value'")
    return name.strip(), value.strip()


def _visible(text: str) -> str:
    """Text without what a terminal would obey."""
    return "".join(c if c.isprintable() or c == "\t" else c.encode("unicode_escape").decode() for c in text)


def _hex(data: bytes) -> str:
    return f"{len(data)} bytes: {data.hex(' ')}" if data else "0 bytes"


def _payload(data: bytes) -> str:
    """The payload of a ping or pong: as text if it is some."""
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return _hex(data)
    return _visible(text) if text.isprintable() else _hex(data)


class _Screen:
    """Where things are shown. In a terminal, above the line that is typed."""

    def __init__(self, terminal: bool) -> None:
        self._terminal = terminal
        self.typing = False

    def show(self, line: str) -> None:
        """Shows a line."""
        if self._terminal and self.typing:
            typed = readline.get_line_buffer() if readline else ""
            sys.stdout.write(f"\r\x1b[K{line}\n{_PROMPT}{typed}")
        else:
            sys.stdout.write(f"{line}\n")
        sys.stdout.flush()


class _Session(Listener):
    """Shows what comes, and does what lines say."""

    def __init__(self, screen: _Screen) -> None:
        self._screen = screen
        self._active = 0.0
        self._room = asyncio.Event()
        self._room.set()
        self._pinged: set[bytes] = set()
        self.ended: asyncio.Future[int] = asyncio.get_running_loop().create_future()

    def _show(self, line: str) -> None:
        self._active = asyncio.get_running_loop().time()
        self._screen.show(line)

    # What comes.

    def on_open(self, connection: Connection) -> None:
        """Says what was agreed on."""
        self._connection = connection
        agreed = []
        if connection.subprotocol is not None:
            agreed.append(f"subprotocol {connection.subprotocol}")
        if connection.response is not None and "Sec-WebSocket-Extensions" in connection.response.headers:
            agreed.append("compressed")
        self._show(f"Connected{': ' if agreed else ''}{', '.join(agreed)}. /help tells what can be typed.")

    def on_message(self, data: Data) -> None:
        """Shows a message."""
        self._show(f"< {_visible(data)}" if isinstance(data, str) else f"< binary, {_hex(data)}")

    def on_ping(self, data: bytes) -> None:
        """Shows a ping, which was answered."""
        self._show(f"< ping {_payload(data)}".rstrip())

    def on_pong(self, data: bytes) -> None:
        """Shows a pong, and how long it took if it was asked for."""
        asked = data in self._pinged
        self._pinged.discard(data)
        took = f" ({self._connection.latency * 1000:.1f} ms)" if asked else ""
        self._show(f"< pong {_payload(data)}".rstrip() + took)

    def on_pause(self) -> None:
        """Lets the input wait."""
        self._room.clear()

    def on_resume(self) -> None:
        """Lets the input go on."""
        self._room.set()

    def on_close(self, code: int, reason: str) -> None:
        """Shows how it ended."""
        self._room.set()
        self._show(f"Connection closed: {_visible(str(Close(code, reason)))}.")
        if not self.ended.done():
            fine = code in (CloseCode.NORMAL_CLOSURE, CloseCode.GOING_AWAY, CloseCode.NO_STATUS_RCVD)
            self.ended.set_result(0 if fine else 1)

    # What is typed.

    async def finish(self, wait: float) -> None:
        """Closes the connection once nothing came for so many seconds: what was sent may still be
        answered."""
        loop = asyncio.get_running_loop()
        self._active = loop.time()
        while (left := self._active + wait - loop.time()) > 0:  # noqa: ASYNC110 - whatever comes sets it anew
            await asyncio.sleep(left)
        self._connection.close()

    async def do(self, line: str) -> None:
        """Does what a line says."""
        try:
            if line.startswith("/") and not line.startswith("//"):
                self._command(line)
            else:
                self._connection.send(line.removeprefix("/") if line.startswith("//") else line)
        except ConnectionClosed:
            self._show("! The connection is closing.")
        except (SendError, ConcurrencyError, ValueError) as error:
            self._show(f"! {error}")
        await self._room.wait()

    def _command(self, line: str) -> None:
        name, _, rest = line[1:].partition(" ")
        command: Callable[[str], None] | None = {
            "binary": self._binary,
            "ping": self._ping,
            "pong": lambda text: self._connection.pong(text),
            "close": self._close,
            "help": lambda _: self._show(_HELP),
        }.get(name)
        if command is None:
            raise ValueError(f"There is no command /{name}; /help tells which there are.")
        command(rest.strip())

    def _binary(self, text: str) -> None:
        try:
            data = bytes.fromhex(text)
        except ValueError:
            raise ValueError(
                f"{text!r} is not hexadecimal; two digits a byte are needed, as in 48 69 0a."
            ) from None
        self._connection.send(data)

    def _ping(self, text: str) -> None:
        data = text.encode() if text else os.urandom(4).hex().encode()
        self._connection.ping(data)
        self._pinged.add(data)

    def _close(self, text: str) -> None:
        code, _, reason = text.partition(" ")
        if code and not code.isdecimal():
            raise ValueError(f"{code!r} is not a close code; a number is needed, as in /close 1000 reason.")
        self._connection.close(int(code or CloseCode.NORMAL_CLOSURE), reason.strip())


def _typed(screen: _Screen) -> Iterator[str]:
    """The lines that are typed in a terminal."""
    while True:
        screen.typing = True
        try:
            line = input(_PROMPT)
        except EOFError:
            return
        finally:
            screen.typing = False
        yield line


def _piped() -> Iterator[str]:
    """The lines of an input that is no terminal. Python's own reader holds a lock while it waits, with which
    the interpreter could not end."""
    rest = b""
    while data := os.read(sys.stdin.fileno(), 65536):
        *lines, rest = (rest + data).split(b"\n")
        for line in lines:
            yield line.removesuffix(b"\r").decode(errors="surrogateescape")
    if rest:
        yield rest.decode(errors="surrogateescape")


async def _talk(arguments: argparse.Namespace, terminal: bool) -> int:
    screen = _Screen(terminal)
    session = _Session(screen)
    connection = await connect(arguments.uri, session, **_options(arguments))
    loop = asyncio.get_running_loop()

    def read() -> None:
        lines = _typed(screen) if terminal else _piped()
        with contextlib.suppress(RuntimeError, asyncio.CancelledError):  # the loop has ended
            for line in lines:
                asyncio.run_coroutine_threadsafe(session.do(line), loop).result()
            wait = 0 if terminal else arguments.wait
            asyncio.run_coroutine_threadsafe(session.finish(wait), loop).result()

    threading.Thread(target=read, daemon=True, name="itoden input").start()
    try:
        return await session.ended
    finally:
        connection.abort()


def _options(arguments: argparse.Namespace) -> dict[str, Any]:
    options: dict[str, Any] = {
        "additional_headers": arguments.header,
        "subprotocols": arguments.subprotocol,
        "origin": arguments.origin,
        "proxy": None if arguments.no_proxy else arguments.proxy or True,
        "compression": None if arguments.no_compression else "deflate",
        "max_size": arguments.max_size,
        "ping_interval": arguments.ping_interval,
        "open_timeout": arguments.open_timeout,
    }
    if arguments.user_agent is not None:
        options["user_agent_header"] = arguments.user_agent
    if arguments.insecure and parse_uri(arguments.uri).secure:
        context = ssl.create_default_context()
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
        options["ssl"] = context
    return options


@contextlib.contextmanager
def _restored() -> Iterator[None]:
    """Leaves the terminal as it was: a line may be being typed when the connection ends."""
    try:
        import termios
    except ImportError:  # Windows
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the client.

    Args:
        arguments: those of the command line, without its name; by default those of this process.

    Returns:
        The exit status: 0 if the connection was closed with 1000, 1001 or no code, 1 if it ended otherwise
            or could
        not be opened, 130 after Ctrl-C. Wrong arguments end the process with 2.
    """
    parser = _parser()
    parsed = parser.parse_args(arguments)
    if parsed.uri is None:
        parser.error("the URI to connect to is missing, as in itoden wss://example.org/")
    terminal = sys.stdin.isatty() and sys.stdout.isatty()
    try:
        with _restored() if terminal else contextlib.nullcontext():
            return asyncio.run(_talk(parsed, terminal))
    except KeyboardInterrupt:
        return 130
    except InvalidStatus as error:
        body = error.response.body.decode(errors="replace").strip()
        return _fail(f"{error}{': ' if body else ''}{_visible(body)}")
    except (OSError, WebSocketException, ValueError) as error:
        return _fail(str(error) or type(error).__name__)


def _fail(message: str) -> int:
    print(f"itoden: {message}", file=sys.stderr)
    return 1
