"""The vectors that all languages of itoden share (core/vectors)."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import itoden
from itoden import WebSocketException
from itoden._native import ClientHandshake, Connection, ServerHandshake
from itoden.extensions.permessage_deflate import (
    ClientPerMessageDeflateFactory,
    ServerPerMessageDeflateFactory,
)
from itoden.uri import parse_uri

VECTORS = Path(__file__).parents[2] / "core" / "vectors"
OPEN_FILES = ["frames", "messages", "close", "send"]


def read(name: str) -> list[dict[str, Any]]:
    cases = json.loads((VECTORS / f"{name}.json").read_text())
    assert isinstance(cases, list)
    return cases


def named(name: str, cases: list[dict[str, Any]]) -> list[Any]:
    return [pytest.param(case, id=f"{name}: {case['name']}") for case in cases]


ADVERSARIES = {
    kind: [case for row in read("adversaries") for case in row.get(kind, [])]
    for kind in ("connections", "handshakes")
}

DEFLATE = read("deflate")
OPEN_CASES = [
    *(case for name in OPEN_FILES for case in named(name, read(name))),
    *named("deflate", [case for case in DEFLATE if "chunks" in case]),
    *named("adversaries", ADVERSARIES["connections"]),
]
NEGOTIATIONS = named("deflate", [case for case in DEFLATE if "chunks" not in case])
HANDSHAKES = named("handshake", read("handshake")) + named("adversaries", ADVERSARIES["handshakes"])


def expand(written: Any, decode: Callable[[str], bytes]) -> bytes:
    """What is written out, or made by repetition: see core/vectors/README.md."""
    match written:
        case str():
            return decode(written)
        case {"repeat": part, "times": int(times)}:
            return expand(part, decode) * times
        case [*parts]:
            return b"".join(expand(part, decode) for part in parts)
        case other:
            raise AssertionError(f"neither text nor a repetition: {other}")


def head(written: Any) -> bytes:
    return expand(written, lambda text: text.encode("latin-1"))


def resplit(chunks: list[bytes], how: str) -> list[bytes]:
    whole = b"".join(chunks)
    match how:
        case "as they stand":
            return chunks
        case "joined":
            return [whole] if whole else []
        case _:
            size = 1 if len(whole) <= 10_000 else 1021
            return [whole[at : at + size] for at in range(0, len(whole), size)]


def command(connection: Connection, wanted: dict[str, Any]) -> None:
    match wanted["type"]:
        case "text":
            connection.send_text(wanted["text"])
        case "binary":
            connection.send_binary(bytes.fromhex(wanted["hex"]))
        case "fragment":
            connection.send_fragment(wanted["kind"], bytes.fromhex(wanted["hex"]), wanted["fin"])
        case "ping":
            connection.send_ping(bytes.fromhex(wanted["hex"]))
        case "pong":
            connection.send_pong(bytes.fromhex(wanted["hex"]))
        case "close":
            connection.send_close(wanted["code"], wanted["reason"])
        case other:
            raise AssertionError(f"a command that this runner does not know: {other}")


def readable(event: tuple[Any, ...]) -> dict[str, Any]:
    match event:
        case ("text", text):
            return {"type": "text", "text": text}
        case ("binary" | "ping" | "pong" as kind, payload):
            return {"type": kind, "hex": payload.hex()}
        case ("close", code, reason):
            return {"type": "close", "code": code, "reason": reason}
        case ("failed", exception):
            return {"type": "failed", "error": exception.error_name}
        case ("closed", code, reason, clean):
            return {"type": "closed", "code": code, "reason": reason, "clean": clean}
        case other:
            raise AssertionError(f"an event that this runner does not know: {other}")


def written_out(event: dict[str, Any]) -> dict[str, Any]:
    """An expected event with its payload written out."""
    decoded = dict(event)
    if "hex" in event:
        decoded["hex"] = expand(event["hex"], bytes.fromhex).hex()
    if "text" in event:
        decoded["text"] = expand(event["text"], str.encode).decode()
    return decoded


def close_code_of_only_frame(sent: bytes, role: str) -> int:
    masked = role == "client"
    assert sent[0] == 0x88, sent.hex()
    assert sent[1] & 0x80 == (0x80 if masked else 0)
    start = 6 if masked else 2
    assert len(sent) == start + (sent[1] & 0x7F)
    key = sent[2:6] if masked else bytes(4)
    return int.from_bytes(bytes([sent[start] ^ key[0], sent[start + 1] ^ key[1]]))


@pytest.mark.parametrize("how", ["as they stand", "joined", "byte by byte"])
@pytest.mark.parametrize("case", OPEN_CASES)
def test_an_open_connection_does_what_the_vectors_say(case: dict[str, Any], how: str) -> None:
    key = bytes.fromhex("37fa213d") if case["role"] == "client" else None
    options = {**case.get("limits", {}), "extensions": case.get("extensions")}
    connection = Connection(case["role"], masking_key=key, **options)
    for wanted in case.get("send", []):
        if "error" in wanted:
            with pytest.raises(WebSocketException) as raised:
                command(connection, wanted)
            assert raised.value.error_name == wanted["error"]
        else:
            command(connection, wanted)

    events: list[Any] = []
    sent = connection.data_to_send()
    for chunk in resplit([expand(chunk, bytes.fromhex) for chunk in case["chunks"]], how):
        events += connection.receive_data(chunk)
        sent += connection.data_to_send()
    if case.get("eof"):
        events += connection.receive_eof()
        sent += connection.data_to_send()

    assert [readable(event) for event in events] == [written_out(event) for event in case["events"]]
    if isinstance(case["sent"], dict):
        assert close_code_of_only_frame(sent, case["role"]) == case["sent"]["close"]
    else:
        assert sent.hex() == case["sent"]


@pytest.mark.parametrize("how", ["as they stand", "byte by byte"])
@pytest.mark.parametrize("case", HANDSHAKES)
def test_the_opening_handshake_does_what_the_vectors_say(case: dict[str, Any], how: str) -> None:
    def outcome() -> dict[str, Any]:
        if case["side"] == "server":
            server = ServerHandshake()
            for chunk in resplit([head(case["request"])], how):
                if server.receive_data(chunk) is not None:
                    return {"response": server.accept().decode("latin-1")}
        else:
            client = ClientHandshake(
                "example.com",
                "/",
                subprotocols=case["subprotocols"],
                headers=[],
                nonce=b"the sample nonce",
            )
            for chunk in resplit([head(case["response"])], how):
                if (answer := client.receive_data(chunk)) is not None:
                    return {"subprotocol": answer[0]}
        raise AssertionError("the head was not complete")

    if "error" in case:
        with pytest.raises(WebSocketException) as raised:
            outcome()
        assert raised.value.error_name == case["error"]
    else:
        answer = outcome()
        assert answer == {name: case[name] for name in answer}


def deflate_factory(case: dict[str, Any]) -> Any:
    config = case.get("config", {})
    if case["side"] == "client":
        return ClientPerMessageDeflateFactory(**config)
    return ServerPerMessageDeflateFactory(
        **config, require_client_max_window_bits="client_max_window_bits" in config
    )


@pytest.mark.parametrize("case", NEGOTIATIONS)
def test_compression_is_negotiated_as_the_vectors_say(case: dict[str, Any]) -> None:
    server = itoden.ServerProtocol(extensions=[deflate_factory(case)] if case["side"] == "server" else None)
    client = itoden.ClientProtocol(
        parse_uri("ws://example.com/"),
        extensions=[deflate_factory(case)] if case["side"] == "client" else None,
    )
    request = client.connect()
    if case["side"] == "client":
        assert request.headers["Sec-WebSocket-Extensions"] == case["offer"]
    client.send_request(request)
    (asked,) = client.data_to_send()
    if case["side"] == "server":
        asked = (
            asked[:-2]
            + b"".join(b"Sec-WebSocket-Extensions: %b\r\n" % offer.encode() for offer in case["offer"])
            + b"\r\n"
        )
    server.receive_data(asked)
    if server.handshake_exc is not None:
        failed: Any = server.handshake_exc
        assert failed.error_name == case["error"]
        return
    (event,) = server.events_received()
    response = server.accept(event)  # type: ignore[arg-type]
    if case["side"] == "server":
        failed = server.handshake_exc
        if "error" in case:
            assert failed is not None
            assert failed.error_name == case["error"]
        else:
            assert response.headers.get("Sec-WebSocket-Extensions") == case["answer"]
        return
    for answer in case["answer"]:
        response.headers["Sec-WebSocket-Extensions"] = answer
    head = "".join(f"{name}: {value}\r\n" for name, value in response.headers.raw_items())
    client.receive_data(f"HTTP/1.1 101 Switching Protocols\r\n{head}\r\n".encode())
    failed = client.handshake_exc
    assert (failed and failed.error_name) == case.get("error")
    if failed is None:
        client.send_text(b"x" * 5000)
        (sent,) = client.data_to_send()
        assert (len(sent) < 5000) == (case["agreed"] is not None)
