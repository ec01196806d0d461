"""Connections without I/O, mirrored: what `websockets`' protocol classes and itoden's make of the same calls
and bytes."""

from __future__ import annotations

import importlib
import logging
import re
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
from harness import BINARY, CLOSE, PING, PONG, TEXT, frame

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


@pytest.mark.parametrize("module", ["client", "server", "protocol", "frames"])
def test_every_name_of_a_module_is_there(module: str) -> None:
    theirs = importlib.import_module(f"websockets.{module}").__all__
    ours = importlib.import_module(f"itoden.{module}")
    assert [name for name in theirs if not hasattr(ours, name)] == []


def test_every_public_method_is_there() -> None:
    internal = (
        {"parse", "discard", "recv_frame", "send_frame", "send_eof", "debug"}
        | {name for name in dir(websockets.ServerProtocol) if name.startswith("process_")}
        | {name for name in dir(websockets.ClientProtocol) if name.startswith("process_")}
        | {"select_subprotocol"}
    )
    for theirs, ours in (
        (websockets.ClientProtocol, itoden.ClientProtocol),
        (websockets.ServerProtocol, itoden.ServerProtocol),
    ):
        names = {name for name in dir(theirs) if not name.startswith("_")} - internal
        assert sorted(names - set(dir(ours))) == []


def test_an_opening_handshake_between_both_ends() -> None:
    def scenario(library: Any) -> Any:
        client, server = pair(
            library, {"subprotocols": ["a", "b"], "origin": "https://x"}, {"subprotocols": ["b"]}
        )
        (response,) = client.events_received()
        return (
            int(client.state),
            int(server.state),
            client.subprotocol,
            server.subprotocol,
            response.status_code,
            client.handshake_exc,
            server.handshake_exc,
            sorted(name for name, _ in response.headers.raw_items()),
        )

    assert same(scenario)[:4] == (1, 1, "b", "b")


@pytest.mark.parametrize("client_is", [0, 1])
def test_each_package_opens_with_the_other(client_is: int) -> None:
    one, other = LIBRARIES[client_is], LIBRARIES[1 - client_is]
    client = one.Client(
        one.parse_uri("ws://example.com/"), extensions=[one.deflate.ClientPerMessageDeflateFactory()]
    )
    server = other.Server(extensions=[other.deflate.ServerPerMessageDeflateFactory()])
    request = client.connect()
    request.headers["X-Added"] = "1"
    client.send_request(request)
    pump(client, server)
    (asked,) = server.events_received()
    assert asked.headers["X-Added"] == "1"
    server.send_response(server.accept(asked))
    pump(server, client)
    client.events_received()
    text = "compressed " * 500
    client.send_text(text.encode())
    assert len(pump(client, server)) < 500
    assert frames(server) == [(TEXT, text.encode(), True)]


@pytest.mark.parametrize(
    "server",
    [
        {"origins": ["https://a"]},
        {"subprotocols": ["x"]},
        {"select_subprotocol": lambda protocol, names: 1 / 0},
    ],
)
def test_a_server_that_refuses_tells_both_ends(server: dict[str, Any]) -> None:
    def scenario(library: Any) -> Any:
        client, refusing = pair(library, {"subprotocols": ["y"]}, server)
        (response,) = client.events_received()
        return (
            response.status_code,
            type(client.handshake_exc).__name__,
            type(refusing.handshake_exc).__name__,
            int(client.state),
            int(refusing.state),
            client.close_expected(),
        )

    same(scenario)


def test_a_server_may_reject() -> None:
    def scenario(library: Any) -> Any:
        client = library.Client(library.parse_uri("ws://example.com/"))
        server = library.Server()
        client.send_request(client.connect())
        pump(client, server)
        server.events_received()
        server.send_response(server.reject(403, "no\n"))
        ended = pump(server, client).endswith(b"no\n<EOF>")
        (response,) = client.events_received()
        return (
            ended,
            response.status_code,
            bytes(response.body),
            type(client.handshake_exc).__name__,
            server.close_expected(),
        )

    assert same(scenario) == (True, 403, b"no\n", "InvalidStatus", True)


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


def test_bytes_behind_the_handshake_are_frames() -> None:
    def scenario(library: Any) -> Any:
        client = library.Client(library.parse_uri("ws://example.com/"))
        server = library.Server()
        client.send_request(client.connect())
        pump(client, server)
        (request,) = server.events_received()
        server.send_response(server.accept(request))
        server.send_text(b"early")
        client.receive_data(b"".join(server.data_to_send()))
        response, early = client.events_received()
        return response.status_code, bytes(early.data)

    assert same(scenario) == (101, b"early")


@pytest.mark.parametrize(
    "answer",
    [
        b"nonsense\r\n\r\n",
        b"HTTP/1.1 101 Switching Protocols\r\n\r\n",
        b"HTTP/1.1 404 X\r\nContent-Length: 0\r\n\r\n",
    ],
)
def test_an_answer_that_does_not_open(answer: bytes) -> None:
    def scenario(library: Any) -> Any:
        client = library.Client(library.parse_uri("ws://example.com/"))
        client.send_request(client.connect())
        client.data_to_send()
        client.receive_data(answer)
        return (
            type(client.handshake_exc).__name__,
            client.data_to_send(),
            int(client.state),
            client.close_expected(),
        )

    same(scenario)


INPUT: list[tuple[str, list[tuple[int, bytes, dict[str, Any]]]]] = [
    ("a text message", [(TEXT, "grüße".encode(), {})]),
    ("a binary message", [(BINARY, b"\x00\xff", {})]),
    ("fragments", [(TEXT, b"a", {"fin": False}), (CONT, b"b", {"fin": False}), (CONT, b"", {})]),
    ("a ping between fragments", [(BINARY, b"a", {"fin": False}), (PING, b"?", {}), (CONT, b"b", {})]),
    ("a pong", [(PONG, b"!", {})]),
    ("a close", [(CLOSE, (1000).to_bytes(2) + b"bye", {})]),
    ("a close without a code", [(CLOSE, b"", {})]),
    ("something after a close", [(CLOSE, (1001).to_bytes(2), {}), (TEXT, b"late", {})]),
    ("a long message", [(BINARY, b"x" * 70_000, {})]),
]


@SIDES
@pytest.mark.parametrize("chunk", [None, 1, 1000])
@pytest.mark.parametrize(("name", "coming"), INPUT, ids=[name for name, _ in INPUT])
def test_frames_that_come(side: str, chunk: int | None, name: str, coming: list[Any]) -> None:
    data = b"".join(masked(side, opcode, payload, **options) for opcode, payload, options in coming)
    if chunk == 1 and len(data) > 1000:
        chunk = 999

    def scenario(library: Any) -> Any:
        protocol = opened(library, side, max_size=None)
        for at in range(0, len(data), chunk or len(data)):
            protocol.receive_data(data[at : at + (chunk or len(data))])
        seen = frames(protocol), sent_by(protocol, side), int(protocol.state), protocol.close_expected()
        protocol.receive_eof()
        return seen, sent_by(protocol, side), told(protocol)[:7]

    same(scenario)


WRONG: list[tuple[str, bytes]] = [
    ("an unknown opcode", b"\x83\x00"),
    ("a reserved bit", b"\xc1\x00"),
    ("a continuation of nothing", b"\x80\x00"),
    ("a long ping", b"\x89\x7e\x00\x7e" + b"x" * 126),
    ("a fragmented ping", b"\x09\x00"),
    ("a close of one byte", b"\x88\x01\x03"),
    ("a close code that is not allowed", b"\x88\x02\x03\xed"),
]


@pytest.mark.parametrize(("name", "data"), WRONG, ids=[name for name, _ in WRONG])
def test_frames_that_break_the_protocol(name: str, data: bytes) -> None:
    def scenario(library: Any) -> Any:
        protocol = opened(library, "client")
        protocol.receive_data(data)
        (closing,) = [entry for entry in sent_by(protocol, "client") if entry != "EOF"]
        state = int(protocol.state)
        protocol.receive_eof()
        exception = protocol.close_exc
        return state, closing[0], closing[1][:2], type(exception).__name__, type(exception.__cause__).__name__

    same(scenario)


@SIDES
def test_what_is_sent(side: str) -> None:
    def scenario(library: Any) -> Any:
        protocol = opened(library, side)
        protocol.send_text("é".encode())
        protocol.send_binary(b"\x00")
        protocol.send_text(b"a", fin=False)
        protocol.send_ping(b"?")
        protocol.send_continuation(b"b", fin=False)
        protocol.send_continuation(b"", fin=True)
        protocol.send_pong(b"!")
        protocol.send_close(4000, "bye")
        return sent_by(protocol, side), int(protocol.state), protocol.close_expected()

    same(scenario)


@SIDES
@pytest.mark.parametrize("first", ["client", "server"])
def test_a_closing_handshake(side: str, first: str) -> None:
    def scenario(library: Any) -> Any:
        protocol = opened(library, side)
        if first == side:
            protocol.send_close(1001, "away")
        protocol.receive_data(masked(side, CLOSE, (1000).to_bytes(2)))
        seen = sent_by(protocol, side)
        protocol.receive_eof()
        return seen, sent_by(protocol, side), told(protocol)

    same(scenario)


@SIDES
def test_the_end_of_the_transport_without_a_close_frame(side: str) -> None:
    def scenario(library: Any) -> Any:
        protocol = opened(library, side)
        protocol.receive_eof()
        protocol.receive_eof()
        with pytest.raises(EOFError):
            protocol.receive_data(b"late")
        return sent_by(protocol, side), told(protocol)

    same(scenario)


def test_failing_sends_a_close_frame_and_reads_nothing_more() -> None:
    def scenario(library: Any) -> Any:
        protocol = opened(library, "server")
        protocol.fail(1008, "policy")
        protocol.receive_data(masked("server", TEXT, b"late"))
        seen = sent_by(protocol, "server"), frames(protocol), int(protocol.state)
        protocol.receive_eof()
        return seen, told(protocol)[:7], str(protocol.close_exc)

    same(scenario)


@pytest.mark.parametrize(
    "misuse",
    [
        lambda protocol: protocol.send_continuation(b"", fin=True),
        lambda protocol: (protocol.send_text(b"", fin=False), protocol.send_text(b"")),
        lambda protocol: (protocol.send_binary(b"", fin=False), protocol.send_text(b"")),
        lambda protocol: (protocol.send_close(), protocol.send_text(b"")),
        lambda protocol: (protocol.send_close(), protocol.send_close()),
        lambda protocol: (protocol.receive_eof(), protocol.send_ping(b"")),
        lambda protocol: protocol.send_close(None, "reason"),
        lambda protocol: protocol.send_close(999),
        lambda protocol: protocol.fail(999),
        lambda protocol: protocol.send_ping(b"x" * 126),
        lambda protocol: protocol.close_exc,
    ],
)
def test_misuse_is_told(misuse: Callable[[Any], Any]) -> None:
    for library in LIBRARIES:
        kinds = (library.top.ProtocolError, library.top.InvalidState, AssertionError)
        with pytest.raises(kinds):
            misuse(opened(library, "client"))


@pytest.mark.parametrize("limit", [10, (10, None), (None, 10)])
def test_max_size(limit: Any) -> None:
    def scenario(library: Any) -> Any:
        protocol = opened(library, "client", max_size=limit)
        protocol.receive_data(masked("client", BINARY, b"x" * 11))
        ((opcode, payload, _), *_) = sent_by(protocol, "client")
        protocol.receive_eof()
        return opcode, payload[:2], type(protocol.close_exc.__cause__).__name__

    assert same(scenario) == (CLOSE, (1009).to_bytes(2), "PayloadTooBig")


def test_frames_and_close_frames_as_values() -> None:
    def scenario(library: Any) -> Any:
        frames = library.top.frames
        close = frames.Close(1000, "bye")
        shown = [
            str(frames.Frame(frames.Opcode.TEXT, b"hi")),
            str(frames.Frame(frames.Opcode.PING, b"", fin=True)),
        ]
        wrong = []
        for code in (999, 1005, 5000):
            with pytest.raises(library.top.ProtocolError):
                frames.Close(code, "").serialize()
            wrong.append(code)
        return (
            close.serialize(),
            frames.Close.parse(b"\x03\xe8ok").reason,
            int(frames.Close.parse(b"").code),
            shown,
            [int(opcode) for opcode in frames.Opcode],
            frames.Frame(frames.Opcode.TEXT, b"a") == frames.Frame(frames.Opcode.TEXT, b"a"),
        )

    same(scenario)


@SIDES
def test_the_same_is_logged(side: str, caplog: pytest.LogCaptureFixture) -> None:
    def scenario(library: Any) -> Any:
        caplog.set_level(logging.DEBUG)
        caplog.clear()
        client, server = pair(library)
        one, other = (client, server) if side == "client" else (server, client)
        one.send_text(b"hi")
        pump(one, other)
        return [
            (record.levelname, record.getMessage())
            for record in caplog.records
            if not re.search(
                r"Date|Sec-WebSocket-(Key|Accept)|EOF|^[<>] (Host|Upgrade|Connection|Sec-)",
                record.getMessage(),
            )
        ]

    ours, theirs = (sorted(scenario(library)) for library in LIBRARIES)
    assert ours == theirs


def test_a_state_that_is_not_there_is_refused() -> None:
    with pytest.raises(ValueError, match="CLOSED"):
        itoden.ServerProtocol(state=itoden.State.CLOSED)


def test_select_subprotocol_is_given_the_protocol() -> None:
    def scenario(library: Any) -> Any:
        seen = []

        def select(protocol: Any, offered: Any) -> Any:
            seen.append((type(protocol).__name__, list(offered)))
            return offered[0]

        client, server = pair(library, {"subprotocols": ["a", "b"]}, {"select_subprotocol": select})
        return seen, client.subprotocol, server.subprotocol

    same(scenario)
