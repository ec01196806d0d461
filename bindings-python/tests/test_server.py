"""The server: opening handshakes, handlers, and its end."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import re

import pytest

import itoden
from harness import REQUEST, Peer, asynchronous, frame, port_of, until
from itoden import Close, connect, serve


async def nothing(connection: itoden.ServerConnection) -> None:
    await connection.wait_closed()


async def ask(server: itoden.Server, request: str | bytes) -> tuple[str, dict[str, str], bytes]:
    """Sends a request: the answer's first line, header fields and what follows until the end."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
    writer.write(request.encode() if isinstance(request, str) else request)
    answer = await reader.read()
    writer.close()
    head, _, body = answer.partition(b"\r\n\r\n")
    first, *lines = head.decode("latin-1").split("\r\n")
    return first, {name.lower(): value for name, _, value in (line.partition(": ") for line in lines)}, body


async def status_of(server: itoden.Server, header: str) -> int:
    first, *_ = await ask(server, REQUEST + header + "\r\n" + "\r\n")
    return int(first.split()[1])


async def opens(server: itoden.Server, **options: object) -> bool:
    try:
        async with connect(f"ws://127.0.0.1:{port_of(server)}/", **options):  # type: ignore[arg-type]
            return True
    except itoden.InvalidStatus:
        return False


@asynchronous
async def test_a_wrong_origin_is_refused_with_403() -> None:
    async with serve(nothing, "127.0.0.1", 0, origins=["https://good.example"]) as server:
        first, fields, body = await ask(server, REQUEST + "Origin: https://evil.example\r\n\r\n")
        assert first == "HTTP/1.1 403 Forbidden"
        assert fields["connection"] == "close"
        assert b"https://evil.example" in body
        assert await status_of(server, "Origin: null") == 403
        assert await status_of(server, "Origin: https://good.example\r\nOrigin: https://good.example") == 400
        assert not await opens(server)
        assert not await opens(server, origin="https://good.example.evil.example")
        assert await opens(server, origin="https://good.example")


@asynchronous
async def test_origins_can_be_patterns_and_none_allows_clients_without_one() -> None:
    origins = [re.compile(r"https://\w+\.example"), None]
    async with serve(nothing, "127.0.0.1", 0, origins=origins) as server:
        assert await opens(server)
        assert await opens(server, origin="https://a.example")
        assert not await opens(server, origin="https://a.example.evil.com")


@asynchronous
async def test_without_origins_all_are_allowed() -> None:
    async with serve(nothing, "127.0.0.1", 0) as server:
        assert await opens(server)
        assert await opens(server, origin="https://any.example")


@pytest.mark.parametrize(
    ("request_", "status", "field"),
    [
        (REQUEST.replace("GET", "POST"), 405, ("allow", "GET")),
        (REQUEST.replace("Upgrade: websocket\r\n", ""), 426, ("upgrade", "websocket")),
        (REQUEST.replace("Version: 13", "Version: 12"), 426, ("sec-websocket-version", "13")),
        (REQUEST.replace("HTTP/1.1", "HTTP/1.0"), 505, ("connection", "close")),
        (REQUEST.replace("dGhlIHNhbXBsZSBub25jZQ==", "c2hvcnQ="), 400, ("connection", "close")),
        (REQUEST + "X: " + "y" * 20_000 + "\r\n", 431, ("connection", "close")),
        ("\x16\x03\x01\x02\x00", 400, ("connection", "close")),
        ("GET / HTTP/1.1\n\n", 400, ("connection", "close")),
    ],
)
@asynchronous
async def test_a_request_that_is_not_a_handshake_is_answered_with_the_reason(
    request_: str, status: int, field: tuple[str, str]
) -> None:
    async with serve(nothing, "127.0.0.1", 0) as server:
        first, fields, body = await ask(server, request_ + "\r\n")
        assert first.startswith(f"HTTP/1.1 {status} ")
        assert fields[field[0]] == field[1]
        assert len(body) == int(fields["content-length"]) > 0


@asynchronous
async def test_a_client_that_does_not_finish_its_request_is_dropped_after_open_timeout() -> None:
    async with serve(nothing, "127.0.0.1", 0, open_timeout=0.05) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        writer.write(REQUEST.encode())
        assert await reader.read() == b""
        writer.close()


@asynchronous
async def test_the_first_of_the_servers_subprotocols_that_is_offered_is_chosen() -> None:
    async with serve(nothing, "127.0.0.1", 0, subprotocols=["a", "b"]) as server:
        uri = f"ws://127.0.0.1:{port_of(server)}/"
        async with connect(uri, subprotocols=["c", "b", "a"]) as connection:
            assert connection.subprotocol == "a"
        async with connect(uri) as connection:
            assert connection.subprotocol is None
        with pytest.raises(itoden.InvalidStatus) as raised:
            await connect(uri, subprotocols=["c"])
        assert raised.value.response.status_code == 400


@asynchronous
async def test_select_subprotocol_decides() -> None:
    def select(connection: itoden.ServerConnection, offered: object) -> str | None:
        assert connection.request is not None
        if connection.request.path == "/none":
            return None
        if connection.request.path == "/refuse":
            raise itoden.NegotiationError("none of these")
        assert offered == ["x", "y"]
        return "y" if connection.request.path == "/y" else "not offered"

    async with serve(nothing, "127.0.0.1", 0, select_subprotocol=select) as server:
        uri = f"ws://127.0.0.1:{port_of(server)}"
        for path, subprotocol in (("/y", "y"), ("/none", None)):
            async with connect(uri + path, subprotocols=["x", "y"]) as connection:
                assert connection.subprotocol == subprotocol
        for path, status in (("/refuse", 400), ("/wrong", 500)):
            with pytest.raises(itoden.InvalidStatus) as raised:
                await connect(uri + path, subprotocols=["x", "y"])
            assert raised.value.response.status_code == status


@pytest.mark.parametrize("asynchronously", [False, True])
@asynchronous
async def test_process_request_can_answer_instead(asynchronously: bool) -> None:
    def process(connection: itoden.ServerConnection, request: itoden.Request) -> itoden.Response | None:
        if request.path != "/health":
            return None
        response = connection.respond(200, "fine\n")
        response.headers["X-Told"] = "yes"
        return response

    async def process_async(
        connection: itoden.ServerConnection, request: itoden.Request
    ) -> itoden.Response | None:
        await asyncio.sleep(0)
        return process(connection, request)

    process_request = process_async if asynchronously else process
    async with serve(nothing, "127.0.0.1", 0, process_request=process_request) as server:
        first, fields, body = await ask(server, REQUEST.replace("/chat?room=1", "/health") + "\r\n")
        assert (first, fields["x-told"], body) == ("HTTP/1.1 200 OK", "yes", b"fine\n")
        assert await opens(server)


@pytest.mark.parametrize("wrong", ["raises", "returns a string", "returns an unsendable header"])
@asynchronous
async def test_a_process_request_that_fails_is_answered_with_500(wrong: str) -> None:
    def process(connection: itoden.ServerConnection, request: itoden.Request) -> itoden.Response | None:
        match wrong:
            case "raises":
                raise RuntimeError("mine")
            case "returns a string":
                return "no"  # type: ignore[return-value]
            case _:
                response = connection.respond(403, "no")
                response.headers["X-Split"] = "a\r\nSet-Cookie: b"
                return response

    async with serve(nothing, "127.0.0.1", 0, process_request=process) as server:
        first, fields, body = await ask(server, REQUEST + "\r\n")
        assert first == "HTTP/1.1 500 Internal Server Error"
        assert b"mine" not in body
        assert "set-cookie" not in fields


@asynchronous
async def test_frames_that_come_before_the_answer_wait_for_it() -> None:
    release = asyncio.Event()
    received: list[object] = []

    async def process(connection: itoden.ServerConnection, request: itoden.Request) -> None:
        await release.wait()

    async def handler(connection: itoden.ServerConnection) -> None:
        received.extend([message async for message in connection])

    async with serve(handler, "127.0.0.1", 0, process_request=process) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
        writer.write((REQUEST + "\r\n").encode() + frame(1, b"early", masked=True))
        await writer.drain()
        writer.write(frame(1, b"later", masked=True) + frame(8, (1000).to_bytes(2), masked=True))
        await writer.drain()
        release.set()
        assert (await reader.readuntil(b"\r\n\r\n")).startswith(b"HTTP/1.1 101 ")
        assert await Peer("client", reader, writer).receive_close() == (1000, "")
        writer.close()
    assert received == ["early", "later"]


@asynchronous
async def test_the_handler_sees_the_request() -> None:
    seen: list[itoden.Request | None] = []

    async def handler(connection: itoden.ServerConnection) -> None:
        seen.append(connection.request)
        assert connection.response is not None
        assert connection.response.status_code == 101
        assert connection.remote_address[0] == "127.0.0.1"

    async with (
        serve(handler, "127.0.0.1", 0) as server,
        connect(f"ws://127.0.0.1:{port_of(server)}/a?b=c", additional_headers={"X-Name": "grüße"}) as client,
    ):
        await client.wait_closed()
    assert seen[0] is not None
    assert (seen[0].method, seen[0].path, seen[0].headers["x-name"]) == ("GET", "/a?b=c", "grüße")


@asynchronous
async def test_a_handler_that_returns_closes_with_1000() -> None:
    async def handler(connection: itoden.ServerConnection) -> None:
        await connection.send("bye")

    async with serve(handler, "127.0.0.1", 0) as server:
        async with connect(f"ws://127.0.0.1:{port_of(server)}/") as client:
            assert [message async for message in client] == ["bye"]
            assert client.close_code == 1000


def test_a_handler_that_raises_closes_with_1011_and_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def handler(connection: itoden.ServerConnection) -> None:
        raise RuntimeError("a mistake of the handler's")

    @asynchronous
    async def run() -> None:
        async with serve(handler, "127.0.0.1", 0) as server:
            async with connect(f"ws://127.0.0.1:{port_of(server)}/") as client:
                with pytest.raises(itoden.ConnectionClosedError) as raised:
                    await client.recv()
                assert raised.value.rcvd == Close(1011, "")

    run()
    (record,) = (record for record in caplog.records if record.levelno == logging.ERROR)
    assert record.name == "itoden.server"
    assert record.message == "connection handler failed"
    assert record.exc_info is not None
    assert "a mistake of the handler's" in str(record.exc_info[1])


@asynchronous
async def test_closing_the_server_closes_its_connections_with_1001_and_waits_for_handlers() -> None:
    finished: list[int] = []

    async def handler(connection: itoden.ServerConnection) -> None:
        await connection.wait_closed()
        await asyncio.sleep(0.01)
        finished.append(1)

    server = await serve(handler, "127.0.0.1", 0)
    clients = [await connect(f"ws://127.0.0.1:{port_of(server)}/") for _ in range(3)]
    await until(lambda: len(server.connections) == 3)
    server.close()
    server.close()
    await server.wait_closed()
    assert finished == [1, 1, 1]
    assert not server.is_serving()
    assert server.connections == set()
    for client in clients:
        with pytest.raises(itoden.ConnectionClosedOK) as raised:
            await client.recv()
        assert raised.value.rcvd == Close(1001, "")
        await client.wait_closed()


@asynchronous
async def test_close_can_have_another_code_and_reason() -> None:
    async with serve(nothing, "127.0.0.1", 0) as server:
        client = await connect(f"ws://127.0.0.1:{port_of(server)}/")
        with pytest.raises(itoden.SendError, match="999"):
            server.close(code=999)
        assert server.is_serving()
        server.close(code=1012, reason="restart")
        await client.wait_closed()
        assert (client.close_code, client.close_reason) == (1012, "restart")


@asynchronous
async def test_close_can_leave_connections_to_their_handlers() -> None:
    async def echo_once(connection: itoden.ServerConnection) -> None:
        await connection.send(await connection.recv())

    async with serve(echo_once, "127.0.0.1", 0) as server:
        async with connect(f"ws://127.0.0.1:{port_of(server)}/") as client:
            await until(lambda: len(server.connections) == 1)
            server.close(close_connections=False)
            await client.send("still here")
            assert await client.recv() == "still here"


@asynchronous
async def test_a_handshake_that_is_not_done_when_the_server_closes_is_refused_with_503() -> None:
    release = asyncio.Event()
    asked = asyncio.Event()

    async def process(connection: itoden.ServerConnection, request: itoden.Request) -> None:
        asked.set()
        await release.wait()

    async with serve(nothing, "127.0.0.1", 0, process_request=process) as server:
        asking = asyncio.create_task(ask(server, REQUEST + "\r\n"))
        await asked.wait()
        server.close()
        await asyncio.sleep(0)
        release.set()
        assert (await asking)[0] == "HTTP/1.1 503 Service Unavailable"


@asynchronous
async def test_a_client_that_has_not_asked_yet_does_not_hold_up_the_end() -> None:
    server = await serve(nothing, "127.0.0.1", 0, open_timeout=None)
    reader, writer = await asyncio.open_connection("127.0.0.1", port_of(server))
    await until(lambda: len(server._opening) == 1)
    server.close()
    await server.wait_closed()
    with contextlib.suppress(ConnectionResetError):
        assert await reader.read() == b""
    writer.close()


@asynchronous
async def test_serve_forever_ends_with_close_or_with_its_task() -> None:
    server = await serve(nothing, "127.0.0.1", 0)
    serving = asyncio.create_task(server.serve_forever())
    await asyncio.sleep(0)
    server.close()
    await serving

    server = await serve(nothing, "127.0.0.1", 0)
    client = await connect(f"ws://127.0.0.1:{port_of(server)}/")
    serving = asyncio.create_task(server.serve_forever())
    await asyncio.sleep(0)
    await until(lambda: len(server.connections) == 1)
    serving.cancel()
    with pytest.raises(asyncio.CancelledError):
        await serving
    await client.wait_closed()
    assert client.close_code == 1001


@asynchronous
async def test_serving_can_begin_later() -> None:
    server = await serve(nothing, "127.0.0.1", 0, start_serving=False)
    assert not server.is_serving()
    await server.start_serving()
    assert server.is_serving()
    assert await opens(server)
    server.close()
    await server.wait_closed()


@asynchronous
async def test_a_hundred_connections_at_once_are_served() -> None:
    async def echo(connection: itoden.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async def talk(number: int, uri: str) -> None:
        async with connect(uri) as client:
            for turn in range(10):
                await client.send(f"{number}: {turn}")
                assert await client.recv() == f"{number}: {turn}"

    async with serve(echo, "127.0.0.1", 0) as server:
        uri = f"ws://127.0.0.1:{port_of(server)}/"
        await asyncio.gather(*(talk(number, uri) for number in range(100)))
