"""Connections without I/O, of `websockets` and of itoden."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest
import websockets
import websockets.client
import websockets.datastructures
import websockets.extensions.permessage_deflate
import websockets.frames
import websockets.http11
import websockets.protocol
import websockets.server
import websockets.uri

import itoden
import itoden.client
import itoden.datastructures
import itoden.extensions.permessage_deflate
import itoden.frames
import itoden.http11
import itoden.protocol
import itoden.server
import itoden.uri
from harness import frame

LIBRARIES = [
    SimpleNamespace(
        top=package,
        name=package.__name__,
        Client=package.client.ClientProtocol,
        Server=package.server.ServerProtocol,
        parse_uri=package.uri.parse_uri,
        deflate=package.extensions.permessage_deflate,
    )
    for package in (websockets, itoden)
]
CONT = 0x0


def same(scenario: Callable[[Any], Any]) -> Any:
    theirs, ours = (scenario(library) for library in LIBRARIES)
    assert ours == theirs, f"itoden: {ours!r}, websockets: {theirs!r}"
    return ours


def pair(
    library: Any, client: dict[str, Any] | None = None, server: dict[str, Any] | None = None
) -> tuple[Any, Any]:
    """Both ends of a connection whose opening handshake is done."""
    one = library.Client(library.parse_uri("ws://example.com/chat?n=1"), **(client or {}))
    other = library.Server(**(server or {}))
    one.send_request(one.connect())
    pump(one, other)
    (request,) = other.events_received()
    other.send_response(other.accept(request))
    pump(other, one)
    return one, other


def pump(one: Any, other: Any) -> bytes:
    """What one end has to send reaches the other; returns it, with EOF as `<EOF>`."""
    sent = b""
    for data in one.data_to_send():
        if data:
            other.receive_data(data)
        else:
            other.receive_eof()
        sent += data or b"<EOF>"
    return sent


def opened(library: Any, side: str, **options: Any) -> Any:
    state = library.top.protocol.State.OPEN
    if side == "server":
        return library.Server(state=state, **options)
    return library.Client(library.parse_uri("ws://example.com/"), state=state, **options)


def frames(protocol: Any) -> list[tuple[int, bytes, bool]]:
    return [(int(event.opcode), bytes(event.data), event.fin) for event in protocol.events_received()]


def sent_by(protocol: Any, role: str) -> list[Any]:
    """The frames in what is to be sent, and EOF."""
    peer = opened(LIBRARIES[0], "client" if role == "server" else "server", max_size=None)
    seen: list[Any] = []
    for data in protocol.data_to_send():
        if data:
            peer.receive_data(data)
            seen += frames(peer)
        else:
            seen.append("EOF")
    return seen


def told(protocol: Any) -> tuple[Any, ...]:
    return (
        int(protocol.state),
        protocol.close_code,
        protocol.close_reason,
        protocol.close_expected(),
        str(protocol.close_rcvd),
        str(protocol.close_sent),
        protocol.close_rcvd_then_sent,
        (
            type(protocol.close_exc).__name__,
            str(protocol.close_exc),
            type(protocol.close_exc.__cause__).__name__,
        )
        if int(protocol.state) == 3
        else None,
    )


def masked(side: str, opcode: int, payload: bytes = b"", **options: Any) -> bytes:
    return frame(opcode, payload, masked=side == "server", **options)


SIDES = pytest.mark.parametrize("side", ["client", "server"])
