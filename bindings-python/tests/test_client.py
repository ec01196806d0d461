"""The client's opening handshake, against a server that answers by hand."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pytest

import itoden
from harness import answer_upgrade, asynchronous, raw_server
from itoden import State, connect


async def request_of(uri_path: str = "/", **options: object) -> list[str]:
    """The lines of the request that `connect()` makes."""
    requests: list[bytes] = []

    def answer(request: bytes) -> bytes:
        requests.append(request)
        return answer_upgrade(request)

    async with raw_server(answer) as (port, _):
        connection = await connect(f"ws://127.0.0.1:{port}{uri_path}", **options)  # type: ignore[arg-type]
        connection._abort()
        await connection.wait_closed()
    return requests[0].decode("latin-1").split("\r\n")


async def connect_to(answer: bytes, **options: object) -> itoden.ClientConnection:
    async with raw_server(lambda _: answer) as (port, _):
        return await connect(f"ws://127.0.0.1:{port}/", **options)  # type: ignore[arg-type]


@asynchronous
async def test_the_request_has_what_the_rfc_asks_for() -> None:
    lines = await request_of("/chat?room=1")
    assert lines[0] == "GET /chat?room=1 HTTP/1.1"
    assert lines[1].startswith("Host: 127.0.0.1:")
    assert {"Upgrade: websocket", "Connection: Upgrade", "Sec-WebSocket-Version: 13"} < set(lines)
    (user_agent,) = (line for line in lines if line.startswith("User-Agent: "))
    assert f"itoden/{itoden.__version__}" in user_agent


@asynchronous
async def test_every_request_has_a_key_of_its_own() -> None:
    keys = {line for _ in range(5) for line in await request_of() if line.startswith("Sec-WebSocket-Key: ")}
    assert len(keys) == 5


@asynchronous
async def test_origin_subprotocols_headers_and_credentials_are_sent() -> None:
    lines = await request_of(
        origin="https://example.com",
        subprotocols=["chat", "superchat"],
        additional_headers=[("Cookie", "a=b"), ("X-Twice", "1"), ("X-Twice", "2")],
        user_agent_header=None,
    )
    expected = {
        "Origin: https://example.com",
        "Sec-WebSocket-Protocol: chat, superchat",
        "Cookie: a=b",
        "X-Twice: 1",
        "X-Twice: 2",
    }
    assert expected < set(lines)
    assert not any(line.startswith("User-Agent") for line in lines)


@asynchronous
async def test_credentials_of_the_uri_become_authorization() -> None:
    requests: list[bytes] = []

    def answer(request: bytes) -> bytes:
        requests.append(request)
        return answer_upgrade(request)

    async with raw_server(answer) as (port, _):
        (await connect(f"ws://user:p%40ss@127.0.0.1:{port}/"))._abort()
    assert b"\r\nAuthorization: Basic dXNlcjpwQHNz\r\n" in requests[0]


@asynchronous
async def test_the_chosen_subprotocol_and_the_handshake_are_told() -> None:
    def answer(request: bytes) -> bytes:
        return answer_upgrade(request)[:-2] + b"Sec-WebSocket-Protocol: chat\r\nSet-Cookie: x=y\r\n\r\n"

    async with raw_server(answer) as (port, _):
        connection = await connect(f"ws://127.0.0.1:{port}/a", subprotocols=["soap", "chat"])
        assert connection.subprotocol == "chat"
        assert connection.request is not None
        assert connection.request.path == "/a"
        assert connection.response is not None
        assert connection.response.status_code == 101
        assert connection.response.headers["set-cookie"] == "x=y"
        assert connection.remote_address == ("127.0.0.1", port)
        assert connection.local_address[0] == "127.0.0.1"
        assert connection.state is State.OPEN
        assert connection.id == connection.id
        connection._abort()


@asynchronous
async def test_frames_in_the_same_packet_as_the_answer_are_received() -> None:
    async with raw_server(lambda request: answer_upgrade(request) + b"\x81\x05Hello\x88\x00") as (port, _):
        connection = await connect(f"ws://127.0.0.1:{port}/")
        assert await connection.recv() == "Hello"
        connection._abort()


@asynchronous
async def test_another_status_raises_with_the_response_and_its_body() -> None:
    with pytest.raises(itoden.InvalidStatus, match="403") as raised:
        await connect_to(b"HTTP/1.1 403 Forbidden\r\nContent-Length: 9\r\nX-Why: origin\r\n\r\nnot today")
    response = raised.value.response
    assert (response.status_code, response.reason_phrase) == (403, "Forbidden")
    assert response.headers["X-Why"] == "origin"
    assert response.body == b"not today"
    assert raised.value.error_name == "unexpected_status"


@asynchronous
async def test_a_body_that_is_cut_off_is_told_as_far_as_it_came() -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 500 Oops\r\nContent-Length: 100\r\n\r\npart")
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        with pytest.raises(itoden.InvalidStatus) as raised:
            await connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert raised.value.response.body == b"part"


@pytest.mark.parametrize(
    ("fields", "written"),
    [
        ("Transfer-Encoding: chunked\r\n", b"4\r\nnot \r\n5;a=b\r\ntoday\r\n0\r\n\r\n"),
        ("Connection: close\r\n", b"not today"),
    ],
    ids=["chunks", "the end of the connection"],
)
@asynchronous
async def test_a_body_is_read_whatever_says_where_it_ends(fields: str, written: bytes) -> None:
    ended = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(f"HTTP/1.1 403 Forbidden\r\n{fields}\r\n".encode() + written)
        if "chunked" in fields:
            await reader.read()  # the client ends the connection
        writer.close()
        await writer.wait_closed()
        ended.set()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        uri = f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        with pytest.raises(itoden.InvalidStatus) as raised:
            await connect(uri)
        await ended.wait()
    assert raised.value.response.body == b"not today"


ANSWERS = {
    "garbage": (b"\x16\x03\x01\x02\x00", itoden.InvalidMessage, "invalid_head"),
    "another protocol": (b"SSH-2.0-OpenSSH_9.2\r\n\r\n", itoden.InvalidMessage, "invalid_head"),
    "bare line feeds": (b"HTTP/1.1 101 OK\n\n", itoden.InvalidMessage, "invalid_head"),
    "a head without an end": (b"HTTP/1.1 101 " + b"x" * 20_000, itoden.SecurityError, "head_too_large"),
    "too many headers": (
        b"HTTP/1.1 101 OK\r\n" + b"X: y\r\n" * 129 + b"\r\n",
        itoden.TooManyHeaders,
        "too_many_headers",
    ),
    "no upgrade": (b"HTTP/1.1 101 OK\r\n\r\n", itoden.InvalidUpgrade, "not_upgraded"),
    "a wrong accept": (
        b"HTTP/1.1 101 OK\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: x\r\n\r\n",
        itoden.InvalidHeaderValue,
        "accept_mismatch",
    ),
}


@pytest.mark.parametrize("what", ANSWERS)
@asynchronous
async def test_an_answer_that_is_not_a_handshake_raises(what: str) -> None:
    answer, cls, name = ANSWERS[what]
    with pytest.raises(cls) as raised:
        await connect_to(answer)
    assert isinstance(raised.value, itoden.InvalidHandshake)
    assert raised.value.error_name == name


@pytest.mark.parametrize(
    ("header", "name"),
    [
        (b"Sec-WebSocket-Protocol: chat\r\n", "unoffered_subprotocol"),
        (b"Sec-WebSocket-Extensions: permessage-deflate\r\n", "unoffered_extension"),
    ],
)
@asynchronous
async def test_what_was_not_offered_must_not_be_chosen(header: bytes, name: str) -> None:
    async with raw_server(lambda request: answer_upgrade(request)[:-2] + header + b"\r\n") as (port, _):
        with pytest.raises(itoden.NegotiationError) as raised:
            await connect(f"ws://127.0.0.1:{port}/", compression=None)
    assert raised.value.error_name == name


@asynchronous
async def test_an_end_before_the_answer_raises() -> None:
    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 101 Swit")
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        with pytest.raises(itoden.InvalidMessage) as raised:
            await connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")
    assert raised.value.error_name == "unexpected_eof"


@asynchronous
async def test_a_server_that_never_answers_runs_into_open_timeout() -> None:
    ended = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        # The request, if there was time for it, and the end.
        with contextlib.suppress(ConnectionError):
            await reader.read()
        ended.set()
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        with pytest.raises(TimeoutError):
            await connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/", open_timeout=0.05)
        # The TCP connection is not left behind.
        await ended.wait()


@asynchronous
async def test_nobody_listening_raises_os_error() -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        with pytest.raises(OSError, match="Connect"):
            await connect(f"ws://127.0.0.1:{unused.getsockname()[1]}/")


@asynchronous
async def test_a_connected_socket_can_be_given() -> None:
    async with raw_server(answer_upgrade) as (port, _):
        sock = socket.create_connection(("127.0.0.1", port))
        sock.setblocking(False)
        connection = await connect("ws://example.com/", sock=sock)
        assert connection.remote_address == ("127.0.0.1", port)
        connection._abort()


@asynchronous
async def test_host_and_port_override_where_the_uri_points() -> None:
    requests: list[bytes] = []

    def answer(request: bytes) -> bytes:
        requests.append(request)
        return answer_upgrade(request)

    async with raw_server(answer) as (port, _):
        (await connect("ws://example.com/", host="127.0.0.1", port=port))._abort()
    assert b"\r\nHost: example.com\r\n" in requests[0]


@asynchronous
async def test_a_cancelled_connect_leaves_no_connection_behind() -> None:
    asked = asyncio.Event()
    ended = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        asked.set()
        with pytest.raises((ConnectionError, asyncio.IncompleteReadError)):
            await reader.readexactly(1)
        ended.set()
        writer.close()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:

        async def open_connection() -> None:
            await connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/")

        connecting = asyncio.create_task(open_connection())
        await asked.wait()
        connecting.cancel()
        with pytest.raises(asyncio.CancelledError):
            await connecting
        await ended.wait()
