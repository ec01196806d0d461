"""What a peer does wrong, as raw bytes: the code that it is sent, and the exception here."""

from __future__ import annotations

import pytest

import itoden
from harness import BINARY, CLOSE, PING, ROLES, TEXT, asynchronous, frame, raw_peer
from itoden import Close

both_roles = pytest.mark.parametrize("role", ROLES)

# opcode and payload, or bytes as they are; close code; name of the error
VIOLATIONS = {
    "text that is not UTF-8": ((TEXT, b"\xff"), 1007, "invalid_utf8"),
    "text that ends inside a character": ((TEXT, b"\xe2\x82"), 1007, "invalid_utf8"),
    "a reserved opcode": ((0x3, b""), 1002, "reserved_opcode"),
    "a continuation of nothing": ((0x0, b""), 1002, "unexpected_continuation"),
    "a ping of 126 bytes": ((PING, b"x" * 126), 1002, "control_too_long"),
    "a Close frame of one byte": ((CLOSE, b"x"), 1002, "truncated_close_code"),
    "a Close frame with the code 1006": ((CLOSE, (1006).to_bytes(2)), 1002, "invalid_close_code"),
    "a close reason that is not UTF-8": ((CLOSE, (1000).to_bytes(2) + b"\xff"), 1007, "invalid_close_reason"),
}


@pytest.mark.parametrize("what", VIOLATIONS)
@both_roles
@asynchronous
async def test_the_peer_is_sent_the_code_of_what_it_did_wrong(role: str, what: str) -> None:
    (opcode, payload), code, name = VIOLATIONS[what]
    async with raw_peer(role) as (connection, peer):
        peer.send(TEXT, b"before")
        peer.send(opcode, payload)
        assert (await peer.receive_close())[0] == code
        peer.end()
        assert await connection.recv() == "before"
        with pytest.raises(itoden.ConnectionClosedError) as raised:
            await connection.recv()
        cause = raised.value.__cause__
        assert isinstance(cause, itoden.ProtocolError)
        assert (cause.error_name, cause.close_code) == (name, code)
        assert raised.value.rcvd is None
        assert raised.value.sent is not None
        assert (raised.value.sent.code, raised.value.sent.reason) == (code, str(cause))
        await connection.wait_closed()
        assert connection.close_code == 1006


@asynchronous
async def test_a_server_refuses_a_frame_that_is_not_masked() -> None:
    async with raw_peer("server") as (connection, peer):
        peer.write(frame(TEXT, b"bare", masked=False))
        assert (await peer.receive_close())[0] == 1002
        peer.end()
        with pytest.raises(itoden.ConnectionClosedError) as raised:
            await connection.recv()
        assert isinstance(raised.value.__cause__, itoden.ProtocolError)
        assert raised.value.__cause__.error_name == "unmasked_frame"


@asynchronous
async def test_a_client_refuses_a_frame_that_is_masked() -> None:
    async with raw_peer("client") as (connection, peer):
        peer.write(frame(TEXT, b"veiled", masked=True))
        assert (await peer.receive_close())[0] == 1002
        peer.end()
        with pytest.raises(itoden.ConnectionClosedError) as raised:
            await connection.recv()
        assert isinstance(raised.value.__cause__, itoden.ProtocolError)
        assert raised.value.__cause__.error_name == "masked_frame"


@both_roles
@asynchronous
async def test_a_message_of_max_size_is_received_and_one_byte_more_is_1009(role: str) -> None:
    async with raw_peer(role, max_size=1000) as (connection, peer):
        peer.send(BINARY, b"x" * 1000)
        assert await connection.recv() == b"x" * 1000
        # The header is enough: the payload need not come.
        peer.write(frame(BINARY, b"x" * 1001, masked=peer.masks)[:10])
        code, reason = await peer.receive_close()
        assert code == 1009
        assert "1001" in reason
        assert "1000" in reason
        peer.end()
        with pytest.raises(itoden.ConnectionClosedError) as raised:
            await connection.recv()
        assert isinstance(raised.value.__cause__, itoden.PayloadTooBig)
        assert raised.value.sent == Close(1009, reason)


@both_roles
@asynchronous
async def test_fragments_count_together_for_max_size(role: str) -> None:
    async with raw_peer(role, max_size=1000) as (_, peer):
        peer.send(BINARY, b"x" * 600, fin=False)
        peer.send(0, b"x" * 600)
        assert (await peer.receive_close())[0] == 1009


@both_roles
@asynchronous
async def test_a_pair_as_max_size_bounds_messages_and_single_frames(role: str) -> None:
    async with raw_peer(role, max_size=(None, 100)) as (connection, peer):
        peer.send(BINARY, b"x" * 100, fin=False)
        peer.send(0, b"x" * 100)
        assert await connection.recv() == b"x" * 200
        peer.send(BINARY, b"x" * 101)
        assert (await peer.receive_close())[0] == 1009


@both_roles
@asynchronous
async def test_the_default_of_max_size_is_a_mebibyte_and_none_sets_no_limit(role: str) -> None:
    async with raw_peer(role) as (_, peer):
        peer.write(frame(BINARY, b"x" * ((1 << 20) + 1), masked=peer.masks)[:20])
        assert (await peer.receive_close())[0] == 1009
    async with raw_peer(role, max_size=None) as (connection, peer):
        peer.send(BINARY, b"x" * (20 << 20))
        assert len(await connection.recv()) == 20 << 20


@both_roles
@asynchronous
async def test_what_comes_after_a_violation_is_not_parsed(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        peer.send(0x3)
        peer.send(TEXT, b"ignored")
        peer.send(PING, b"ignored")
        assert (await peer.receive_close())[0] == 1002
        assert await peer.reader.read() == b""
        peer.end()
        with pytest.raises(itoden.ConnectionClosedError):
            await connection.recv()
