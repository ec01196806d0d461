"""Connections without I/O, mirrored: what `websockets`' protocol classes and itoden's make of the same calls
and bytes."""

from __future__ import annotations

import importlib
import logging
import re
from collections.abc import Callable
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
from harness import BINARY, CLOSE, PING, PONG, TEXT
from protocols import CONT, LIBRARIES, SIDES, frames, masked, opened, pair, pump, same, sent_by, told


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
