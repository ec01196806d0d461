"""The vectors that all languages of itoden share (core/vectors)."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from itoden import WebSocketException
from itoden._native import ClientHandshake, Connection, ServerHandshake

VECTORS = Path(__file__).parents[2] / "core" / "vectors"
OPEN_FILES = ["frames", "messages", "close", "send"]


def cases(name: str) -> list[Any]:
    return [
        pytest.param(case, id=f"{name}: {case['name']}")
        for case in json.loads((VECTORS / f"{name}.json").read_text())
    ]


def resplit(chunks: list[bytes], how: str) -> list[bytes]:
    whole = b"".join(chunks)
    match how:
        case "as they stand":
            return chunks
        case "joined":
            return [whole] if whole else []
        case _:
            return [bytes([byte]) for byte in whole]


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


def close_code_of_only_frame(sent: bytes, role: str) -> int:
    masked = role == "client"
    assert sent[0] == 0x88, sent.hex()
    assert sent[1] & 0x80 == (0x80 if masked else 0)
    start = 6 if masked else 2
    assert len(sent) == start + (sent[1] & 0x7F)
    key = sent[2:6] if masked else bytes(4)
    return int.from_bytes(bytes([sent[start] ^ key[0], sent[start + 1] ^ key[1]]))


@pytest.mark.parametrize("how", ["as they stand", "joined", "byte by byte"])
@pytest.mark.parametrize("case", [case for name in OPEN_FILES for case in cases(name)])
def test_an_open_connection_does_what_the_vectors_say(case: dict[str, Any], how: str) -> None:
    key = bytes.fromhex("37fa213d") if case["role"] == "client" else None
    connection = Connection(case["role"], masking_key=key, **case.get("limits", {}))
    for wanted in case.get("send", []):
        if "error" in wanted:
            with pytest.raises(WebSocketException) as raised:
                command(connection, wanted)
            assert raised.value.error_name == wanted["error"]
        else:
            command(connection, wanted)

    events: list[Any] = []
    sent = connection.data_to_send()
    for chunk in resplit([bytes.fromhex(chunk) for chunk in case["chunks"]], how):
        events += connection.receive_data(chunk)
        sent += connection.data_to_send()
    if case.get("eof"):
        events += connection.receive_eof()
        sent += connection.data_to_send()

    assert [readable(event) for event in events] == case["events"]
    if isinstance(case["sent"], dict):
        assert close_code_of_only_frame(sent, case["role"]) == case["sent"]["close"]
    else:
        assert sent.hex() == case["sent"]


@pytest.mark.parametrize("how", ["as they stand", "byte by byte"])
@pytest.mark.parametrize("case", cases("handshake"))
def test_the_opening_handshake_does_what_the_vectors_say(case: dict[str, Any], how: str) -> None:
    def outcome() -> dict[str, Any]:
        if case["side"] == "server":
            server = ServerHandshake()
            for chunk in resplit([case["request"].encode("latin-1")], how):
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
            for chunk in resplit([case["response"].encode("latin-1")], how):
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
