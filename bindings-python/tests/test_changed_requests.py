"""What `process_request` changes in a request is what is answered, as with `websockets`."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from typing import Any

import pytest

import itoden
import sync_parity
from parity import LIBRARIES, same, serving


def changes_of_requests() -> list[tuple[str, Callable[[Any, Any, Any], None]]]:
    def drop_key(library: Any, connection: Any, request: Any) -> None:
        del request.headers["Sec-WebSocket-Key"]

    def take_token(library: Any, connection: Any, request: Any) -> None:
        connection.token, chosen = request.headers["Sec-WebSocket-Protocol"].split(", ")
        del request.headers["Sec-WebSocket-Protocol"]
        request.headers["Sec-WebSocket-Protocol"] = chosen

    def mend_proxy(library: Any, connection: Any, request: Any) -> None:
        del request.headers["Connection"]
        request.headers["Connection"] = "upgrade"

    def let_in(library: Any, connection: Any, request: Any) -> None:
        headers = request.headers.copy()
        del headers["Origin"]
        connection.request = library.Request(request.path + "?in", headers)

    def spoil(library: Any, connection: Any, request: Any) -> None:
        request.method = "POST"

    return [(change.__name__, change) for change in (drop_key, take_token, mend_proxy, let_in, spoil)]


SENT = (
    "GET /room HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\nConnection: close\r\nOrigin: https://b\r\n"
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n"
    "Sec-WebSocket-Protocol: secret, chat\r\n\r\n"
)


def sent_for(change: str) -> bytes:
    """A request that is as it should be, but for what is to be changed."""
    sent = SENT if change == "mend_proxy" else SENT.replace("Connection: close", "Connection: Upgrade")
    return (sent if change == "let_in" else sent.replace("https://b", "https://a")).encode()


@pytest.mark.parametrize(("name", "change"), changes_of_requests())
def test_what_process_request_changes_in_a_request_counts(
    name: str, change: Callable[[Any, Any, Any], None]
) -> None:
    options: dict[str, Any] = {"subprotocols": ["chat"], "origins": ["https://a", None]}

    async def scenario(library: Any) -> object:
        told = asyncio.get_running_loop().create_future()

        async def handler(connection: Any) -> None:
            told.set_result((connection.request.path, connection.subprotocol, await connection.recv()))

        def process(connection: Any, request: Any) -> None:
            change(library, connection, request)

        async with serving(library, handler, process_request=process, **options) as uri:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(uri.split(":")[2][:-1]))
            writer.write(sent_for(name))
            status = (await reader.readline()).split()[1]
            if status == b"101":
                writer.write(bytes.fromhex("8182 00000000") + b"hi")
                status = await told
            writer.close()
            return status

    def in_threads(library: Any) -> object:
        told: list[Any] = []

        def handler(connection: Any) -> None:
            told.append((connection.request.path, connection.subprotocol, connection.recv()))

        def process(connection: Any, request: Any) -> None:
            change(library.top, connection, request)

        with sync_parity.serving(library, handler, process_request=process, **options) as uri:
            with socket.create_connection(("127.0.0.1", int(uri.split(":")[2][:-1]))) as sock:
                sock.sendall(sent_for(name))
                status = sock.makefile("rb").readline().split()[1]
                if status == b"101":
                    sock.sendall(bytes.fromhex("8182 00000000") + b"hi")
                    sync_parity.until(lambda: bool(told))
        return told[0] if told else status

    observed = same(scenario)
    assert observed == sync_parity.same(in_threads)
    assert (
        observed
        == {
            "drop_key": b"400",
            "take_token": ("/room", "chat", "hi"),
            "mend_proxy": ("/room", "chat", "hi"),
            "let_in": ("/room?in", "chat", "hi"),
            "spoil": b"405",
        }[name]
    )


def test_a_request_of_an_older_version_stays_one() -> None:
    async def scenario(library: Any) -> object:
        def process(connection: Any, request: Any) -> None:
            request.headers["X-Seen"] = "yes"

        async with serving(library, lambda connection: connection.recv(), process_request=process) as uri:
            reader, writer = await asyncio.open_connection("127.0.0.1", int(uri.split(":")[2][:-1]))
            writer.write(sent_for("").replace(b"HTTP/1.1", b"HTTP/1.0"))
            status = (await reader.readline()).split()[1]
            writer.close()
            return status

    assert same(scenario) == b"505"


def test_what_came_with_a_request_that_is_changed_is_received() -> None:
    async def scenario() -> None:
        told = asyncio.get_running_loop().create_future()

        async def handler(connection: itoden.ServerConnection) -> None:
            told.set_result(await connection.recv())

        async def process(connection: Any, request: Any) -> None:
            await asyncio.sleep(0.01)
            request.headers["X-Seen"] = "yes"

        async with serving(itoden, handler, process_request=process) as uri:
            _, writer = await asyncio.open_connection("127.0.0.1", int(uri.split(":")[2][:-1]))
            writer.write(sent_for("") + bytes.fromhex("8182 00000000") + b"hi")
            assert await told == "hi"
            writer.close()

    asyncio.run(scenario())


def test_a_request_that_is_changed_without_io_is_answered_as_it_is_then() -> None:
    def scenario(library: Any) -> object:
        protocol = library.ServerProtocol(subprotocols=["chat"])
        protocol.receive_data(sent_for(""))
        (request,) = protocol.events_received()
        del request.headers["Sec-WebSocket-Protocol"]
        request.headers["Sec-WebSocket-Protocol"] = "other"
        refused = protocol.accept(request).status_code
        request.headers["Sec-WebSocket-Protocol"] = "chat"
        response = protocol.accept(request)
        return refused, response.status_code, response.headers["Sec-WebSocket-Protocol"]

    theirs, ours = (scenario(library) for library in LIBRARIES.values())
    assert theirs == ours == (400, 101, "chat")
