"""Scenarios with uvicorn's own WebSocket protocols and with itoden's: what is observed must be the same.

Where uvicorn's two protocols differ, itoden does as one of them.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

from asgi import (
    CLIENTS,
    HTTPS,
    ITODEN,
    LOOPS,
    Place,
    Recorder,
    accept,
    as_uvicorn,
    closing,
    echo,
    refusal,
    run,
)

SCENARIOS: list[Callable[[Place], Awaitable[Any]]] = []


def scenario(play: Callable[[Place], Awaitable[Any]]) -> Callable[[Place], Awaitable[Any]]:
    SCENARIOS.append(play)
    return play


PLACES = [(http, loop) for http in HTTPS for loop in LOOPS]
# Each client meets each loop and each parser.
WITH_CLIENTS = [(*place, list(CLIENTS)[(index + index // 2) % 2]) for index, place in enumerate(PLACES)]


@pytest.mark.parametrize(("http", "loop", "client"), WITH_CLIENTS)
@pytest.mark.parametrize("play", SCENARIOS, ids=lambda play: play.__name__)
def test_is_as_with_uvicorn(play: Any, http: str, loop: str, client: str) -> None:
    observed = run(play, Place(ITODEN, http, client), loop)
    expected = as_uvicorn(play)
    assert observed in expected, f"itoden: {observed!r}; uvicorn: {expected!r}"


# Messages.


@scenario
async def messages_are_echoed(place: Place) -> Any:
    seen = []
    async with place.serving(echo) as running, place.connect(running.uri) as connection:
        for message in ("text", b"binary", "", b"", "é" * 100_000, b"x" * 1_000_000):
            await connection.send(message)
            seen.append(await connection.recv() == message)
        await connection.send(iter(["frag", "ments"]))
        seen.append(await connection.recv())
    return seen


@scenario
async def a_burst_keeps_its_order(place: Place) -> Any:
    async with place.serving(echo, ws_max_queue=4) as running, place.connect(running.uri) as connection:
        sending = asyncio.create_task(send_all(connection, 500))
        seen = [await connection.recv() for _ in range(500)]
        await sending
    return seen


async def send_all(connection: Any, count: int) -> None:
    for number in range(count):
        await connection.send(str(number))


@scenario
async def a_ping_is_answered(place: Place) -> Any:
    async with place.serving(echo) as running, place.connect(running.uri) as connection:
        return await (await connection.ping()) >= 0


@scenario
async def bytes_come_before_text_and_neither_sends_nothing(place: Place) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await send({"type": "websocket.send", "bytes": b"b", "text": "t"})
        await send({"type": "websocket.send", "bytes": None, "text": "t"})
        await send({"type": "websocket.close"})

    async with place.serving(app) as running, place.connect(running.uri) as connection:
        return [message async for message in connection]


# The request and its answer.


@scenario
async def the_scope_has_everything(place: Place) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        scopes.append(scope)
        await accept(receive, send)

    scopes: list[Any] = []
    options = {"subprotocols": ["a", "b"], "additional_headers": [("X-Twice", "1"), ("X-Twice", "2")]}
    async with place.serving(app, root_path="/root") as running:
        async with place.connect(f"{running.uri}caf%C3%A9/%2F?x=1&y=%20", **options) as connection:
            await closing(connection)
            local = connection.local_address
        (scope,) = scopes
        headers = [pair for pair in scope.pop("headers") if pair[0] in (b"x-twice", b"upgrade", b"host")]
        addresses = scope.pop("client") == local[:2], scope.pop("server") == ("127.0.0.1", running.port)
        hosts = [value for name, value in headers if name == b"host"]
        assert hosts == [f"127.0.0.1:{running.port}".encode()]
    return scope, sorted(headers)[1:], addresses


@scenario
async def the_subprotocol_is_the_applications(place: Place) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send, subprotocol=scope["subprotocols"][1])

    async with place.serving(app) as running:
        async with place.connect(running.uri, subprotocols=["chat", "superchat"]) as connection:
            return connection.subprotocol


@scenario
async def headers_of_the_answer_are_the_applications_and_the_servers(place: Place) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(
            receive, send, headers=[(b"set-cookie", b"a=1"), (b"Set-Cookie", b"b=2"), (b"x", b"\xe9")]
        )

    seen: list[Any] = []
    for config in ({}, {"server_header": False, "date_header": False, "headers": [("x-config", "yes")]}):
        async with place.serving(app, **config) as running, place.connect(running.uri) as connection:
            headers = connection.response.headers
            seen.append(
                (
                    headers.get_all("set-cookie"),
                    headers["x"],
                    headers.get_all("server"),
                    headers.get("x-config"),
                )
            )
            seen.append(("date" in headers, headers["connection"].lower(), headers["upgrade"].lower()))
    return seen


@scenario
async def a_header_may_name_the_subprotocol(place: Place) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send, headers=[(b"Sec-WebSocket-Protocol", b"token")])

    async with place.serving(app) as running:
        async with place.connect(running.uri, subprotocols=["token"]) as connection:
            return connection.subprotocol


@scenario
async def a_close_before_the_accept_is_a_403(place: Place) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        await send({"type": "websocket.close", "code": 4000, "reason": "no"})
        await receive()

    recorder = Recorder(app)
    async with place.serving(recorder) as running:
        status, body, _ = await refusal(place, running)
        await recorder.ended.wait()
    return status, body, recorder.seen[-1]["code"]


@scenario
async def a_response_of_http_refuses(place: Place) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        assert "websocket.http.response" in scope["extensions"]
        await receive()
        headers = [(b"x-why", b"because"), (b"content-type", b"application/json")]
        await send({"type": "websocket.http.response.start", "status": 418, "headers": headers})
        await send({"type": "websocket.http.response.body", "body": b"{", "more_body": True})
        await send({"type": "websocket.http.response.body", "body": b"}"})
        await receive()

    recorder = Recorder(app)
    async with place.serving(recorder) as running:
        status, body, headers = await refusal(place, running)
        await recorder.ended.wait()
    kept = [headers.get_all(name) for name in ("x-why", "content-type", "content-length", "connection")]
    return status, body, kept, "date" in headers, recorder.seen[-1]["code"]


@scenario
async def an_application_that_does_not_answer_is_a_500(place: Place) -> Any:
    async def returns(scope: Any, receive: Any, send: Any) -> None:
        await receive()

    async def raises(scope: Any, receive: Any, send: Any) -> None:
        raise RuntimeError("on purpose")

    seen = []
    for app in (returns, raises):
        async with place.serving(app) as running:
            seen.append((await refusal(place, running))[:2])
    return seen


@scenario
async def requests_that_are_not_websockets_are_refused(place: Place) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        raise AssertionError("the application is not asked")

    lines = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    async with place.serving(app) as running:
        no_key = await running.answer(f"{lines}Sec-WebSocket-Version: 13\r\n\r\n")
        bad_key = await running.answer(f"{lines}Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: x\r\n\r\n")
    return no_key[0], bad_key[0]


@scenario
async def a_subprotocol_that_was_not_offered_is_sent(place: Place) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send, subprotocol="mine")

    lines = "GET / HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
    key = "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
    async with place.serving(app) as running:
        reader, writer = await asyncio.open_connection("127.0.0.1", running.port)
        writer.write((lines + key).encode())
        head = (await reader.readuntil(b"\r\n\r\n")).decode().lower()
        writer.close()
    return "\r\nsec-websocket-protocol: mine\r\n" in head, head.split("\r\n")[0]


@scenario
async def compression_is_agreed_unless_it_is_turned_off(place: Place) -> Any:
    seen = []
    for config in ({}, {"ws_per_message_deflate": False}):
        async with place.serving(echo, **config) as running, place.connect(running.uri) as connection:
            seen.append(
                "permessage-deflate" in connection.response.headers.get("Sec-WebSocket-Extensions", "")
            )
            await connection.send("a" * 10_000)
            seen.append(await connection.recv() == "a" * 10_000)
    return seen


# The end.


@scenario
async def the_clients_close_is_told(place: Place) -> Any:
    seen = []
    for code, reason in ((1000, ""), (4000, "bye"), (1001, "going")):
        recorder = Recorder(echo)
        async with place.serving(recorder) as running, place.connect(running.uri) as connection:
            await connection.close(code, reason)
            await recorder.ended.wait()
            seen.append((connection.close_code, connection.close_reason, recorder.seen[-1]))
    return seen


@scenario
async def a_close_frame_without_a_code_is_1005(place: Place) -> Any:
    recorder = Recorder(echo)
    async with place.serving(recorder) as running, place.connect(running.uri) as connection:
        connection.transport.write(bytes.fromhex("888000000000"))
        await recorder.ended.wait()
        await connection.wait_closed()
    return recorder.seen[-1]["type"], recorder.seen[-1]["code"]


@scenario
async def a_client_that_goes_away_without_a_word_is_told(place: Place) -> Any:
    recorder = Recorder(echo)
    async with place.serving(recorder) as running:
        connection = await place.connect(running.uri)
        connection.transport.abort()
        await recorder.ended.wait()
    return recorder.seen[-1]["type"], recorder.seen[-1]["code"]


@scenario
async def a_client_that_goes_away_before_the_answer_is_told(place: Place) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        asked.set()
        await receive()

    asked = asyncio.Event()
    recorder = Recorder(app)
    async with place.serving(recorder) as running:
        connecting = asyncio.create_task(place.connect(running.uri).__aenter__())
        await asked.wait()
        connecting.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await connecting
        await recorder.ended.wait()
    return recorder.seen[-1]["type"], recorder.seen[-1]["code"]


@scenario
async def sending_to_a_client_that_has_closed_is_an_oserror(place: Place) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        while (await receive())["type"] != "websocket.disconnect":
            pass
        await send({"type": "websocket.send", "text": "too late"})

    recorder = Recorder(app)
    async with place.serving(recorder) as running:
        async with place.connect(running.uri):
            pass
        await recorder.ended.wait()
    return recorder.seen[-1]


@scenario
async def the_applications_close_reaches_the_client(place: Place) -> Any:
    seen = []
    for message in ({}, {"code": 3000}, {"code": 4001, "reason": "enough"}, {"code": 4001, "reason": None}):

        async def app(scope: Any, receive: Any, send: Any, message: Any = message) -> None:
            await accept(receive, send)
            await send({"type": "websocket.send", "text": "last"})
            await send({"type": "websocket.close", **message})

        async with place.serving(app) as running, place.connect(running.uri) as connection:
            seen.append((await connection.recv(), await closing(connection)))
    return seen


@scenario
async def after_its_close_an_application_is_told_that_it_is_over(place: Place) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await send({"type": "websocket.close", "code": 4001, "reason": "enough"})
        await receive()
        await send({"type": "websocket.send", "text": "too late"})

    recorder = Recorder(app)
    async with place.serving(recorder) as running, place.connect(running.uri) as connection:
        await closing(connection)
        await recorder.ended.wait()
    return recorder.seen[1]["code"], recorder.seen[2][0] or recorder.seen[2]


@scenario
async def messages_out_of_turn_are_runtime_errors(place: Place) -> Any:
    async def too_early(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.send", "text": "too early"})

    async def twice(scope: Any, receive: Any, send: Any) -> None:
        await accept(receive, send)
        await send({"type": "websocket.accept"})

    async def unknown(scope: Any, receive: Any, send: Any) -> None:
        await send({"type": "websocket.http.response.start", "status": 401})
        await send({"type": "websocket.accept"})

    seen = []
    for app in (too_early, twice, unknown):
        recorder = Recorder(app)
        async with place.serving(recorder) as running:
            with contextlib.suppress(Exception):
                async with place.connect(running.uri) as connection:
                    await closing(connection)
            await recorder.ended.wait()
        seen.append(recorder.seen[-1])
    return seen


@scenario
async def a_message_that_is_too_big_ends_the_connection(place: Place) -> Any:
    recorder = Recorder(echo)
    async with place.serving(recorder, ws_max_size=1000) as running, place.connect(running.uri) as connection:
        await connection.send("a" * 1000)
        assert len(await connection.recv()) == 1000
        await connection.send("a" * 1001)
        code, _ = await closing(connection)
        await recorder.ended.wait()
    return code, recorder.seen[-1]["type"], recorder.seen[-1]["code"]


@scenario
async def text_that_is_not_utf8_ends_the_connection(place: Place) -> Any:
    recorder = Recorder(echo)
    async with place.serving(recorder) as running, place.connect(running.uri) as connection:
        connection.transport.write(bytes.fromhex("818100000000ff"))
        code, _ = await closing(connection)
        await recorder.ended.wait()
    return code, recorder.seen[-1]["type"]


@scenario
async def the_end_of_the_server_is_a_1012(place: Place) -> Any:
    recorder = Recorder(echo)
    async with place.serving(recorder) as running, place.connect(running.uri) as connection:
        await connection.send("a")
        await connection.recv()
        running.stop()
        seen = await closing(connection)
        await recorder.ended.wait()
    return seen, recorder.seen[-1]["type"], recorder.seen[-1]["code"]


@scenario
async def the_end_of_the_server_before_the_answer_is_a_500(place: Place) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        await receive()
        asked.set()
        await receive()

    asked = asyncio.Event()
    recorder = Recorder(app)
    async with place.serving(recorder) as running:
        refused = asyncio.create_task(refusal(place, running))
        await asked.wait()
        running.stop()
        status = (await refused)[:2]
        await recorder.ended.wait()
    return status, recorder.seen[-1]["code"]
