"""What uvicorn's own protocols do not agree on, or do not do; and applications of FastAPI and Starlette."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import ssl
import struct
import subprocess
import sys
import textwrap
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import fastapi
import pytest
import starlette.applications
import starlette.endpoints
import starlette.routing
import starlette.websockets

import itoden
from asgi import HTTPS, ITODEN, LOOPS, Place, Recorder, accept, closing, echo, refusal, run
from harness import PING, REQUEST, Peer, until

CERTIFICATE = Path(__file__).with_name("localhost.pem")
places = pytest.mark.parametrize("place", [Place(ITODEN, http, "itoden") for http in HTTPS], ids=HTTPS)
loops = pytest.mark.parametrize("loop", LOOPS)


async def raw_client(port: int) -> tuple[Peer, bytes]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write((REQUEST + "\r\n").encode())
    head = await reader.readuntil(b"\r\n\r\n")
    return Peer("client", reader, writer), head


# Applications.


def fastapi_app() -> fastapi.FastAPI:
    app = fastapi.FastAPI()

    @app.websocket("/echo/{name}")
    async def echo_of(websocket: fastapi.WebSocket, name: str, twice: bool = False) -> None:
        await websocket.accept(subprotocol=next(iter(websocket.scope["subprotocols"]), None))
        try:
            while True:
                text = await websocket.receive_text()
                for _ in range(2 if twice else 1):
                    await websocket.send_json({"name": name, "text": text})
        except fastapi.WebSocketDisconnect as disconnect:
            closed.append((disconnect.code, disconnect.reason))

    @app.websocket("/private")
    async def private(websocket: fastapi.WebSocket) -> None:
        raise fastapi.WebSocketException(1008, "not you")

    @app.get("/")
    async def page() -> dict[str, str]:
        return {"plain": "http"}

    closed: list[tuple[int, str]] = []
    app.state.closed = closed
    return app


@places
@loops
def test_a_fastapi_application(place: Place, loop: str) -> None:
    async def scenario(place: Place) -> None:
        app = fastapi_app()
        async with place.serving(app) as running:
            uri = f"{running.uri}echo/me?twice=1"
            async with itoden.connect(uri, subprotocols=[itoden.Subprotocol("s")]) as connection:
                assert connection.subprotocol == "s"
                await connection.send("hello")
                for _ in range(2):
                    assert await connection.recv() == '{"name":"me","text":"hello"}'
                await connection.close(4002, "done")
            assert (await refusal(place, running, "private"))[0] == 403
            assert (await refusal(place, running, "nowhere"))[0] == 403
            status, rest = await running.answer("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
            assert (status, rest[-16:]) == (200, '{"plain":"http"}')
        assert app.state.closed == [(4002, "done")]

    run(scenario, place, loop)


@places
@loops
def test_a_starlette_application(place: Place, loop: str) -> None:
    class Upper(starlette.endpoints.WebSocketEndpoint):
        encoding = "bytes"

        async def on_receive(self, websocket: starlette.websockets.WebSocket, data: Any) -> None:
            await websocket.send_bytes(bytes(data).upper())

        async def on_disconnect(self, websocket: starlette.websockets.WebSocket, close_code: int) -> None:
            closed.append(close_code)

    async def denies(websocket: starlette.websockets.WebSocket) -> None:
        await websocket.send_denial_response(starlette.applications.Response("wait", 429))  # type: ignore[attr-defined]

    closed: list[int] = []
    route = starlette.routing.WebSocketRoute
    app = starlette.applications.Starlette(routes=[route("/", Upper), route("/denied", denies)])

    async def scenario(place: Place) -> None:
        async with place.serving(app) as running:
            async with itoden.connect(running.uri) as connection:
                await connection.send(b"abc")
                assert await connection.recv() == b"ABC"
                # "bytes" is what this endpoint takes
                await connection.send("text")
                assert await closing(connection) == (1003, "")
            assert (await refusal(place, running, "denied"))[:2] == (429, b"wait")

    run(scenario, place, loop)
    assert closed == [1011]  # what Starlette makes of an exception


def test_the_state_of_the_lifespan_is_the_connections() -> None:
    async def lifespan(app: Any) -> AsyncIterator[dict[str, str]]:
        yield {"database": "open"}

    async def tell(websocket: starlette.websockets.WebSocket) -> None:
        await websocket.accept()
        await websocket.send_text(websocket.state.database)
        await websocket.close()

    app = starlette.applications.Starlette(
        routes=[starlette.routing.WebSocketRoute("/", tell)],
        lifespan=contextlib.asynccontextmanager(lifespan),
    )

    async def scenario(place: Place) -> None:
        async with place.serving(app, lifespan="on") as running, itoden.connect(running.uri) as connection:
            assert await connection.recv() == "open"

    run(scenario, Place(ITODEN))


def test_the_option_of_uvicorns_command(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text(
        textwrap.dedent("""
            import fastapi
            app = fastapi.FastAPI()

            @app.websocket("/")
            async def echo(websocket: fastapi.WebSocket):
                await websocket.accept()
                await websocket.send_text(await websocket.receive_text())
        """)
    )
    command = [sys.executable, "-m", "uvicorn", "app:app", "--ws", ITODEN, "--port", "0"]
    server = subprocess.Popen(command, cwd=tmp_path, stderr=subprocess.PIPE, text=True)  # noqa: S603 - our own

    async def scenario() -> None:
        assert server.stderr is not None
        lines = iter(server.stderr.readline, "")
        (running,) = [line for line in [next(lines) for _ in range(4)] if "running on" in line]
        port = running.partition("127.0.0.1:")[2].split()[0]
        async with asyncio.timeout(30), itoden.connect(f"ws://127.0.0.1:{port}/") as connection:
            await connection.send("hello")
            assert await connection.recv() == "hello"

    try:
        asyncio.run(scenario())
    finally:
        server.terminate()
        _, rest = server.communicate()
    assert "[accepted]" in rest


# What is better than with uvicorn's own protocols.


@loops
@pytest.mark.parametrize("fails", [True, False])
def test_an_open_connection_that_its_application_leaves_is_closed(loop: str, fails: bool) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        if fails:
            raise RuntimeError("on purpose")

    async def scenario(place: Place) -> None:
        async with place.serving(app) as running, itoden.connect(running.uri) as connection:
            assert await closing(connection) == (1011 if fails else 1000, "")
            await until(lambda: not running.server.server_state.connections)
            assert not running.server.server_state.tasks

    run(scenario, Place(ITODEN), loop)


def test_after_the_end_every_receive_tells_it() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        for _ in range(3):
            await receive()

    recorder = Recorder(app)

    async def scenario(place: Place) -> None:
        async with place.serving(recorder) as running:
            async with itoden.connect(running.uri) as connection:
                await connection.close(4000, "bye")
            await recorder.ended.wait()

    run(scenario, Place(ITODEN))
    assert recorder.seen[1:] == [{"type": "websocket.disconnect", "code": 4000, "reason": "bye"}] * 3


def test_several_tasks_may_receive_and_one_may_give_up() -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        tasks = [asyncio.create_task(receive()) for _ in range(3)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        await send({"type": "websocket.send", "text": "ready"})
        done: list[Any] = await asyncio.gather(*tasks, return_exceptions=True)
        assert isinstance(done[0], asyncio.CancelledError)
        got.extend(message["text"] for message in done[1:])

    got: list[str] = []

    async def scenario(place: Place) -> None:
        async with place.serving(app) as running, itoden.connect(running.uri) as connection:
            await connection.recv()
            await connection.send("1")
            await connection.send("2")
            await closing(connection)

    run(scenario, Place(ITODEN))
    assert sorted(got) == ["1", "2"]


@places
@loops
def test_what_comes_before_the_answer_is_kept(place: Place, loop: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        asked.set()
        await released.wait()
        await send({"type": "websocket.accept"})
        for _ in range(3):
            got.append((await receive())["bytes"])
        await send({"type": "websocket.close"})

    got: list[bytes] = []
    asked, released = asyncio.Event(), asyncio.Event()

    async def scenario(place: Place) -> None:
        async with place.serving(app) as running:
            reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
            peer = Peer("client", reader, writer)
            writer.write((REQUEST + "\r\n").encode())
            await asked.wait()
            for payload in (b"early", b"x" * 100_000, b"bird"):  # more than is read ahead
                peer.send(2, payload)
            await asyncio.sleep(0.02)
            released.set()
            await reader.readuntil(b"\r\n\r\n")
            assert await peer.receive_close() == (1000, "")
            peer.end()

    run(scenario, place, loop)
    assert got == [b"early", b"x" * 100_000, b"bird"]


@loops
def test_a_sender_waits_for_a_client_that_does_not_read(loop: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        for number in range(200):
            await send({"type": "websocket.send", "bytes": bytes([number]) * 100_000})
            sent.append(number)

    sent: list[int] = []

    async def scenario(place: Place) -> None:
        async with place.serving(app) as running:
            peer, _ = await raw_client(running.port)
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
            before = -1
            while before != len(sent):
                before = len(sent)
                await asyncio.sleep(0.05)
            assert before < 200
            peer.writer.transport.resume_reading()  # type: ignore[attr-defined]
            for number in range(200):
                assert await peer.receive() == (2, bytes([number]) * 100_000)
            assert await peer.receive_close() == (1000, "")
            peer.end()

    run(scenario, Place(ITODEN), loop)


@loops
def test_a_sender_that_waits_is_told_of_the_end(loop: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        while True:
            await send({"type": "websocket.send", "bytes": bytes(100_000)})
            recorder.seen.append("sent")

    recorder = Recorder(app)

    async def scenario(place: Place) -> None:
        async with place.serving(recorder) as running:
            peer, _ = await raw_client(running.port)
            peer.writer.transport.pause_reading()  # type: ignore[attr-defined]
            before = -1
            while before != len(recorder.seen):
                before = len(recorder.seen)
                await asyncio.sleep(0.05)
            peer.writer.transport.abort()
            await recorder.ended.wait()

    run(scenario, Place(ITODEN), loop)
    assert recorder.seen[-1] == (True, "")


@loops
def test_messages_that_are_not_received_hold_the_client_back(loop: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await released.wait()
        for number in range(1000):
            assert (await receive())["text"] == f"{number:010000}"
        await send({"type": "websocket.close"})

    released = asyncio.Event()

    async def scenario(place: Place) -> None:
        async with place.serving(app, ws_max_queue=2, ws_per_message_deflate=False) as running:
            async with itoden.connect(running.uri, compression=None) as connection:
                sent = 0

                async def sending() -> None:
                    nonlocal sent
                    for number in range(1000):
                        await connection.send(f"{number:010000}")
                        sent = number

                task = asyncio.create_task(sending())
                before = -1
                while before != sent:
                    before = sent
                    await asyncio.sleep(0.05)
                assert sent < 999
                released.set()
                await task
                assert await closing(connection) == (1000, "")

    run(scenario, Place(ITODEN), loop)


@loops
def test_keepalive_ends_a_silent_connection(loop: str) -> None:
    recorder = Recorder(echo)

    async def scenario(place: Place) -> None:
        options = {"ws_ping_interval": 0.02, "ws_ping_timeout": 0.02}
        async with place.serving(recorder, **options) as running:
            peer, _ = await raw_client(running.port)
            assert (await peer.receive())[0] == PING
            assert await peer.receive_close() == (1011, "keepalive ping timeout")
            peer.end()
            await recorder.ended.wait()

    run(scenario, Place(ITODEN), loop)
    assert recorder.seen[-1] == {"type": "websocket.disconnect", "code": 1006, "reason": ""}


def test_no_interval_sends_no_ping() -> None:
    async def scenario(place: Place) -> None:
        for interval in (None, 0):
            async with place.serving(echo, ws_ping_interval=interval, ws_ping_timeout=0.01) as running:
                peer, _ = await raw_client(running.port)
                await asyncio.sleep(0.05)
                peer.send(1, b"a")
                assert await peer.receive() == (1, b"a")
                peer.end()

    run(scenario, Place(ITODEN))


def test_another_version_of_websocket_is_refused_as_the_standard_says() -> None:
    async def scenario(place: Place) -> None:
        async with place.serving(echo) as running:
            request = REQUEST.replace("Version: 13", "Version: 12")
            status, rest = await running.answer(request + "\r\n")
            assert status == 426
            assert "\r\nsec-websocket-version: 13\r\n" in "\r\n" + rest.lower()

    run(scenario, Place(ITODEN))


@places
@loops
def test_over_tls(place: Place, loop: str) -> None:
    schemes: list[str] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        schemes.append(scope["scheme"])
        await echo(scope, receive, send)

    async def scenario(place: Place) -> None:
        context = ssl.create_default_context(cafile=CERTIFICATE)
        options = {"ssl_certfile": str(CERTIFICATE), "ssl_keyfile": str(CERTIFICATE)}
        async with place.serving(app, **options) as running:
            async with itoden.connect(running.uri, ssl=context) as connection:
                for message in ("hello", b"x" * 500_000):
                    await connection.send(message)
                    assert await connection.recv() == message
                await connection.close()

    run(scenario, place, loop)
    assert schemes == ["wss"]


@loops
def test_on_a_unix_socket(loop: str, tmp_path: Path) -> None:
    scopes: list[Any] = []

    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await echo(scope, receive, send)

    async def scenario(place: Place) -> None:
        path = tmp_path / "socket"
        async with place.serving(app, uds=str(path)):
            async with itoden.unix_connect(path) as connection:
                await connection.send("hello")
                assert await connection.recv() == "hello"

    run(scenario, Place(ITODEN), loop)
    assert (scopes[0]["client"], scopes[0]["server"][1]) == (None, None)


@pytest.mark.parametrize(
    ("message", "error"),
    [
        ({"text": b"bytes"}, "text of 'websocket.send' must be str, not bytes"),
        ({"bytes": 5}, "message must be str or bytes-like, not int"),
    ],
)
def test_data_of_a_wrong_type_is_named(message: Any, error: str) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await send({"type": "websocket.send", **message})

    recorder = Recorder(app)

    async def scenario(place: Place) -> None:
        async with place.serving(recorder) as running, itoden.connect(running.uri) as connection:
            await closing(connection)

    run(scenario, Place(ITODEN))
    assert recorder.seen[-1] == (False, error)


def test_a_peer_that_resets_the_connection_is_told_of() -> None:
    recorder = Recorder(echo)

    async def scenario(place: Place) -> None:
        async with place.serving(recorder) as running:
            peer, _ = await raw_client(running.port)
            sock = peer.writer.get_extra_info("socket")
            sock.setsockopt(1, 13, struct.pack("ii", 1, 0))  # SO_LINGER: a reset in place of an end
            peer.writer.transport.abort()
            await recorder.ended.wait()
            await until(lambda: not running.server.server_state.connections)

    run(scenario, Place(ITODEN))
    assert recorder.seen[-1]["code"] == 1006


def test_what_the_log_tells(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(5, "uvicorn.error")

    async def fails(scope: Any, receive: Any, send: Any) -> Any:
        await accept(receive, send)
        raise RuntimeError("on purpose")

    async def scenario(place: Place) -> None:
        async with place.serving(fails) as running, itoden.connect(running.uri + "fail?a=b") as connection:
            await closing(connection)

    run(scenario, Place(ITODEN))
    told = [
        (record.levelno, record.getMessage()) for record in caplog.records if record.name == "uvicorn.error"
    ]
    assert (logging.ERROR, "Exception in ASGI application\n") in told
    assert any('"WebSocket /fail?a=b" [accepted]' in text for _, text in told)
    assert any(text.endswith("WebSocket connection made") for _, text in told)
    assert any(text.endswith("WebSocket connection lost") for _, text in told)


def test_a_value_that_an_application_returns_is_an_error(caplog: pytest.LogCaptureFixture) -> None:
    async def app(scope: Any, receive: Any, send: Any) -> Any:
        await accept(receive, send)
        return "value"

    async def scenario(place: Place) -> None:
        async with place.serving(app) as running, itoden.connect(running.uri) as connection:
            assert await closing(connection) == (1000, "")

    run(scenario, Place(ITODEN))
    errors = [record.getMessage() for record in caplog.records if record.levelno == logging.ERROR]
    assert errors == ["ASGI callable should return None, but returned 'value'."]
