"""Connections without I/O where somebody else shakes hands or sees the end of the transport: mirrored with
`websockets`."""

from __future__ import annotations

from typing import Any

import pytest

import itoden
from harness import BINARY, CLOSE, TEXT, frame
from protocols import LIBRARIES, frames, same

REQUEST = [
    ("Host", "example.com"),
    ("Upgrade", "websocket"),
    ("Connection", "Upgrade"),
    ("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ=="),
    ("Sec-WebSocket-Version", "13"),
    ("Sec-WebSocket-Protocol", "chat"),
]


def request_of(library: Any, **changed: str) -> Any:
    """A request as somebody else's HTTP server has read it."""
    headers = library.top.datastructures.Headers(REQUEST)
    for name, value in changed.items():
        del headers[name.replace("_", "-")]
        headers[name.replace("_", "-")] = value
    return library.top.http11.Request("/chat", headers)


@pytest.mark.parametrize("begins", [0, 1])
def test_a_request_that_somebody_else_has_read_is_accepted(begins: int) -> None:
    def scenario(library: Any) -> Any:
        deflate = [library.deflate.ServerPerMessageDeflateFactory()]
        server = library.Server(
            state=library.top.protocol.State(begins), subprotocols=["chat"], extensions=deflate
        )
        request = request_of(library)
        request.headers["Sec-WebSocket-Extensions"] = "permessage-deflate"
        response = server.accept(request)
        if begins == 0:
            server.send_response(response)
            assert server.data_to_send()[0].startswith(b"HTTP/1.1 101 ")
        assert server.data_to_send() == []
        server.receive_data(frame(TEXT, b"Hello", masked=True))
        # Once CONNECTING, that of websockets still waits for the bytes of a request.
        came = frames(server) if library.top is itoden or begins == 1 else [(TEXT, b"Hello", True)]
        server.send_text(b"compressed " * 100)
        (sent,) = server.data_to_send()
        return (
            response.status_code,
            response.headers["Sec-WebSocket-Accept"],
            server.subprotocol,
            int(server.state),
            came,
            len(sent) < 100,
        )

    accept = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="
    assert same(scenario) == (101, accept, "chat", 1, [(TEXT, b"Hello", True)], True)


@pytest.mark.parametrize(
    "changed",
    [
        {"Upgrade": "h2c"},
        {"Sec_WebSocket_Key": "short"},
        {"Sec_WebSocket_Protocol": "other"},
    ],
)
def test_a_request_that_somebody_else_has_read_is_refused(changed: dict[str, str]) -> None:
    def scenario(library: Any) -> Any:
        server = library.Server(state=library.top.protocol.OPEN, subprotocols=["chat"])
        response = server.accept(request_of(library, **changed))
        return (
            response.status_code,
            type(server.handshake_exc).__name__,
            int(server.state),
            server.data_to_send(),
        )

    assert same(scenario)[0] in (400, 426)


def test_a_version_that_somebody_else_has_read_is_refused_with_those_that_are_served() -> None:
    # 400 in websockets; RFC 6455 §4.4 has "an appropriate HTTP error code (such as 426 Upgrade Required)".
    server = itoden.server.ServerProtocol(state=itoden.protocol.OPEN)
    response = server.accept(request_of(LIBRARIES[1], Sec_WebSocket_Version="12"))
    assert (response.status_code, response.headers["Sec-WebSocket-Version"]) == (426, "13")


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (frame(TEXT, b"Hello", masked=True), "NoneType"),
        (frame(3, masked=True), "ProtocolError"),
        (frame(TEXT, b"\xff", masked=True), "NoneType"),
        (frame(BINARY, b"x" * 100, masked=True), "PayloadTooBig"),
        (frame(CLOSE, b"\x03\xe8", masked=True), "NoneType"),
    ],
)
def test_why_bytes_ended_the_connection_is_told(data: bytes, kind: str) -> None:
    def scenario(library: Any) -> Any:
        server = library.Server(state=library.top.protocol.OPEN, max_size=10)
        before = server.parser_exc
        server.receive_data(data)
        return before, type(server.parser_exc).__name__

    if data == frame(TEXT, b"\xff", masked=True):
        # itoden checks text itself (§8.1), websockets leaves that to who takes the frame.
        ours, kind = scenario(LIBRARIES[1]), "ProtocolError"
    else:
        ours = same(scenario)
    assert ours == (None, kind)


@pytest.mark.parametrize("side", ["Client", "Server"])
def test_the_state_can_be_set_to_closed_when_the_transport_has_ended(side: str) -> None:
    def scenario(library: Any) -> Any:
        uri = [library.parse_uri("ws://example.com/")] if side == "Client" else []
        one = getattr(library, side)(*uri, state=library.top.protocol.OPEN)
        one.state = library.top.protocol.CLOSED
        return int(one.state), one.close_code, type(one.close_exc).__name__, one.close_expected()

    assert same(scenario) == (3, 1006, "ConnectionClosedError", False)


def test_the_state_can_be_set_to_open_when_somebody_else_has_shaken_hands() -> None:
    def scenario(library: Any) -> Any:
        server = library.Server()
        server.state = library.top.protocol.OPEN
        server.send_text(b"Hello")
        return server.data_to_send(), int(server.state)

    assert same(scenario) == ([b"\x81\x05Hello"], 1)


def test_the_state_can_be_set_to_nothing_else() -> None:
    server = itoden.server.ServerProtocol(state=itoden.protocol.OPEN)
    with pytest.raises(ValueError, match=r"state is OPEN; it can't be set to <State.CLOSING: 2>"):
        server.state = itoden.protocol.CLOSING
    server.state = itoden.protocol.OPEN
    assert server.state is itoden.protocol.OPEN


def test_a_request_made_by_hand_is_checked_as_one_that_came() -> None:
    server = itoden.server.ServerProtocol(state=itoden.protocol.OPEN)
    headers = itoden.datastructures.Headers(REQUEST)
    assert server.accept(itoden.http11.Request("/chat", headers, method="POST")).status_code == 405
    assert "POST" in str(server.handshake_exc)
