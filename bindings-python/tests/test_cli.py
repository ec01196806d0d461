"""The client for the terminal, in a process of its own: with pipes, and in a terminal."""

from __future__ import annotations

import asyncio
import contextlib
import os
import re
import ssl
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

import itoden
from harness import Peer, answer_upgrade, asynchronous, port_of, raw_server
from itoden.cli import main

CERTIFICATE = Path(__file__).with_name("localhost.pem")


async def echo(connection: itoden.ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@contextlib.asynccontextmanager
async def serving(
    handler: Callable[[itoden.ServerConnection], Awaitable[None]] = echo, **options: Any
) -> AsyncIterator[str]:
    async with itoden.serve(handler, "127.0.0.1", 0, **options) as server:
        scheme, host = ("wss", "localhost") if "ssl" in options else ("ws", "127.0.0.1")
        yield f"{scheme}://{host}:{port_of(server)}/"


async def piped(*arguments: str, lines: bytes = b"", answers: int = 0) -> tuple[int | None, list[str], str]:
    """Runs the client with an input, which ends once so many lines were shown for it: the exit status, the
    lines of its output, and its errors."""
    pipe = asyncio.subprocess.PIPE
    command = [sys.executable, "-m", "itoden", "--wait", "0", *arguments]
    process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
    assert process.stdin is not None
    assert process.stdout is not None
    process.stdin.write(lines)
    begun = [await process.stdout.readline() for _ in range(answers + 1 if answers else 0)]
    output, errors = await process.communicate(b"")  # which ends the input
    return process.returncode, (b"".join(begun) + output).decode().splitlines(), errors.decode()


@asynchronous
async def test_lines_are_sent_and_answers_shown() -> None:
    async with serving() as uri:
        status, output, errors = await piped(uri, lines="hello\nGrüße\n\n//slash\n".encode(), answers=4)
    assert output == [
        "Connected: compressed. /help tells what can be typed.",
        "< hello",
        "< Grüße",
        "< ",
        "< /slash",
        "Connection closed: 1000 (OK).",
    ]
    assert (status, errors) == (0, "")


@asynchronous
async def test_commands() -> None:
    lines = b"/binary 48 69 0a\n/binary\n/pong alive\n/ping are you there\n/ping\n"
    async with serving() as uri:
        status, output, errors = await piped(uri, "--no-compression", lines=lines, answers=4)
    assert output[0] == "Connected. /help tells what can be typed."
    assert {"< binary, 3 bytes: 48 69 0a", "< binary, 0 bytes"} <= set(output)
    pongs = [line for line in output if line.startswith("< pong ")]
    assert re.fullmatch(r"< pong are you there \(\d+\.\d ms\)", pongs[0])
    assert re.fullmatch(r"< pong [0-9a-f]{8} \(\d+\.\d ms\)", pongs[1])
    assert (status, errors) == (0, "")


@asynchronous
async def test_the_close_code_is_what_was_typed() -> None:
    async with serving() as uri:
        status, output, errors = await piped(uri, lines=b"/close 4000 bye  bye\n")
    assert output[-1] == "Connection closed: 4000 (private use) bye  bye."
    assert (status, errors) == (1, "")


@asynchronous
async def test_a_last_line_without_an_end_is_sent_before_the_connection_is_closed() -> None:
    got: list[Any] = []

    async def handler(connection: itoden.ServerConnection) -> None:
        got.extend([message async for message in connection])

    async with serving(handler) as uri:
        assert (await piped(uri, lines=b"one\r\ntwo"))[0] == 0
    assert got == ["one", "two"]


@asynchronous
async def test_what_was_piped_may_still_be_answered() -> None:
    async def handler(connection: itoden.ServerConnection) -> None:
        message = await connection.recv()
        await asyncio.sleep(0.05)
        await connection.send(f"{message!s} answered")
        await connection.close()

    async with serving(handler) as uri:
        _, output, _ = await piped(uri, "--wait", "20", lines=b"question\n")
    assert output[1:] == ["< question answered", "Connection closed: 1000 (OK)."]


@asynchronous
async def test_help_tells_every_command() -> None:
    async with serving() as uri:
        _, output, _ = await piped(uri, lines=b"/help\n")
    text = "\n".join(output)
    for command in ("/binary", "/ping", "/pong", "/close", "/help", "//TEXT"):
        assert f"  {command}" in text


@pytest.mark.parametrize(
    ("line", "told"),
    [
        (b"/unknown x", "! There is no command /unknown; /help tells which there are."),
        (b"/binary 4", "! '4' is not hexadecimal; two digits a byte are needed, as in 48 69 0a."),
        (b"/close soon", "! 'soon' is not a close code; a number is needed, as in /close 1000 reason."),
        (b"/close 1005", "! the close code is 1005; 1000-1003, 1007-1014 and 3000-4999 can be sent"),
        (b"/ping " + b"x" * 126, "! "),
        (b"\xff", "! "),
    ],
)
@asynchronous
async def test_what_can_not_be_done_is_said_and_the_client_goes_on(line: bytes, told: str) -> None:
    async with serving() as uri:
        status, output, errors = await piped(uri, lines=line + b"\n")
    assert any(shown.startswith(told) for shown in output), output
    assert output[-1] == "Connection closed: 1000 (OK)."
    assert (status, errors) == (0, "")


@asynchronous
async def test_nothing_is_sent_after_a_close() -> None:
    async with raw_server(answer_upgrade) as (port, streams):
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, "-m", "itoden", f"ws://127.0.0.1:{port}/"]
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe)
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(b"/close\nlate\n")
        peer = Peer("server", *await streams)
        assert await peer.receive_close() == (1000, "")
        await process.stdout.readline()
        assert await process.stdout.readline() == b"! The connection is closing.\n"
        peer.end()
        await process.communicate(b"")
        assert process.returncode == 1


@asynchronous
async def test_what_the_server_does_is_shown() -> None:
    async def handler(connection: itoden.ServerConnection) -> None:
        await connection.send("\x1b[2Jclear\ttab\nline \x9b")
        await connection.send(bytes(range(3)))
        await (await connection.ping(b"knock"))
        await (await connection.ping(b"\x00\x01"))
        await connection.close(1011, "enough")

    async with serving(handler) as uri:
        pipe = asyncio.subprocess.PIPE
        command = [sys.executable, "-m", "itoden", uri]
        process = await asyncio.create_subprocess_exec(*command, stdin=pipe, stdout=pipe, stderr=pipe)
        assert process.stdout is not None
        # The input stays open: the end of the connection ends the client.
        output = (await process.stdout.read()).decode().splitlines()
        assert await process.wait() == 1
        assert process.stderr is not None
        assert await process.stderr.read() == b""
        assert process.stdin is not None
        process.stdin.close()
    assert output[1:] == [
        "< \\x1b[2Jclear\ttab\\nline \\x9b",
        "< binary, 3 bytes: 00 01 02",
        "< ping knock",
        "< ping 2 bytes: 00 01",
        "Connection closed: 1011 (internal error) enough.",
    ]


@asynchronous
async def test_the_request_is_what_was_asked_for() -> None:
    requests: list[itoden.Request] = []

    async def handler(connection: itoden.ServerConnection) -> None:
        assert connection.request is not None
        requests.append(connection.request)

    async with serving(handler, subprotocols=["b"]) as uri:
        options = ["-H", "X-A: 1", "--header", "X-B:2", "--subprotocol", "a", "--subprotocol", "b"]
        options += [
            "--origin",
            "https://example.org",
            "--user-agent",
            "me",
            "--no-proxy",
            "--max-size",
            "100",
        ]
        status, output, _ = await piped(uri + "path?query", *options)
    (request,) = requests
    assert request.path == "/path?query"
    wanted = {"X-A": "1", "X-B": "2", "Origin": "https://example.org", "User-Agent": "me"}
    assert {name: request.headers[name] for name in wanted} == wanted
    assert output[0].startswith("Connected: subprotocol b")
    assert status == 0


@asynchronous
async def test_a_certificate_that_nobody_vouches_for() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    async with serving(ssl=context) as uri:
        status, output, errors = await piped(uri, lines=b"hello\n")
        assert (status, output) == (1, [])
        assert "certificate verify failed" in errors
        status, output, errors = await piped(uri, "--insecure", lines=b"hello\n", answers=1)
        assert (status, errors) == (0, "")
        assert "< hello" in output


@asynchronous
async def test_a_refusal_is_told_with_its_body() -> None:
    def refuse(connection: itoden.ServerConnection, request: itoden.Request) -> itoden.Response:
        return connection.respond(404, "no such room\n")

    async with serving(process_request=refuse) as uri:
        status, output, errors = await piped(uri)
    assert (status, output) == (1, [])
    assert errors == "itoden: server rejected WebSocket connection: HTTP 404: no such room\n"


@pytest.mark.parametrize(
    ("arguments", "status", "told"),
    [
        ([], 2, "the URI to connect to is missing"),
        (["http://localhost/"], 1, "itoden: http://localhost/ isn't a valid URI"),
        (["ws://localhost/", "-H", "nothing"], 2, "'nothing' is no header field; write 'Name: value'"),
        (["ws://127.0.0.1:1/"], 1, "itoden: "),
        (["ws://localhost/", "--max-size", "-1"], 1, "itoden: max_size is -1; it must not be negative"),
        (["ws://localhost/", "--unknown"], 2, "unrecognized arguments: --unknown"),
    ],
)
@asynchronous
async def test_errors_are_one_line(arguments: list[str], status: int, told: str) -> None:
    ended, output, errors = await piped(*arguments)
    assert (ended, output) == (status, [])
    assert told in errors.splitlines()[-1]
    assert "Traceback" not in errors


def test_the_version(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit, match="0"):
        main(["--version"])
    assert capsys.readouterr().out == f"itoden {itoden.__version__}\n"


@asynchronous
async def test_the_command_itoden_is_the_same() -> None:
    command = Path(sys.executable).with_name("itoden")
    process = await asyncio.create_subprocess_exec(command, "--version", stdout=asyncio.subprocess.PIPE)
    output, _ = await process.communicate()
    assert output.decode() == f"itoden {itoden.__version__}\n"


class Terminal:
    """A terminal in which the client runs."""

    def __init__(self) -> None:
        import pty

        self.outside, self.inside = pty.openpty()
        self.shown = ""
        asyncio.get_running_loop().add_reader(self.outside, self._read)
        self._came = asyncio.Event()

    def _read(self) -> None:
        self.shown += os.read(self.outside, 65536).decode()
        self._came.set()

    async def run(self, *arguments: str) -> asyncio.subprocess.Process:
        """Starts the client."""
        environment = {**os.environ, "TERM": "xterm", "INPUTRC": os.devnull}
        command = [sys.executable, "-m", "itoden", *arguments]
        ends: dict[str, Any] = {"stdin": self.inside, "stdout": self.inside, "stderr": self.inside}
        return await asyncio.create_subprocess_exec(
            *command, **ends, env=environment, preexec_fn=_control_terminal
        )

    def type(self, text: str) -> None:
        """Types."""
        os.write(self.outside, text.encode())

    async def shows(self, text: str) -> None:
        """Waits until a text is on the screen."""
        while text not in self.shown:
            self._came.clear()
            await self._came.wait()

    def close(self) -> None:
        """Ends the terminal."""
        asyncio.get_running_loop().remove_reader(self.outside)
        os.close(self.outside)
        os.close(self.inside)


def _control_terminal() -> None:
    import fcntl
    import termios

    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)


@contextlib.asynccontextmanager
async def terminal() -> AsyncIterator[Terminal]:
    screen = Terminal()
    try:
        yield screen
    finally:
        screen.close()


posix = pytest.mark.skipif(sys.platform == "win32", reason="there are no such terminals on Windows")


@posix
@asynchronous
async def test_in_a_terminal_what_comes_is_shown_above_what_is_typed() -> None:
    connections: list[itoden.ServerConnection] = []

    async def handler(connection: itoden.ServerConnection) -> None:
        connections.append(connection)
        await echo(connection)

    async with serving(handler) as uri, terminal() as screen:
        process = await screen.run(uri)
        await screen.shows("> ")
        screen.type("hello\r")
        await screen.shows("< hello")
        screen.type("half a li")
        await screen.shows("half a li")
        # Until the client reads it, the terminal itself shows what is typed.
        while "\r\x1b[K< interrupts\r\n> half a li" not in screen.shown:
            await connections[0].send("interrupts")
            await asyncio.sleep(0.01)
        screen.type("ne\r")
        await screen.shows("< half a line\r\n")
        screen.type("/close 3000 done\r")
        await screen.shows("Connection closed: 3000 (registered) done.")
        assert await process.wait() == 1


@posix
@asynchronous
async def test_ctrl_d_closes_the_connection() -> None:
    async with serving() as uri, terminal() as screen:
        process = await screen.run(uri)
        await screen.shows("> ")
        screen.type("\x04")
        await screen.shows("Connection closed: 1000 (OK).")
        assert await process.wait() == 0


@posix
@asynchronous
async def test_ctrl_c_ends_the_client() -> None:
    async with serving() as uri, terminal() as screen:
        process = await screen.run(uri)
        await screen.shows("> ")
        screen.type("\x03")
        assert await process.wait() == 130
        assert "Traceback" not in screen.shown


@posix
@asynchronous
async def test_the_end_of_the_server_leaves_the_terminal_as_it_was() -> None:
    import termios

    released = asyncio.Event()

    async def handler(connection: itoden.ServerConnection) -> None:
        await released.wait()

    async with serving(handler) as uri, terminal() as screen:
        before = termios.tcgetattr(screen.inside)
        process = await screen.run(uri)
        await screen.shows("> ")
        screen.type("unfinished")
        await screen.shows("unfinished")
        released.set()
        await screen.shows("Connection closed: 1000 (OK).")
        assert await process.wait() == 0
        assert termios.tcgetattr(screen.inside) == before
