"""What passes every record of TLS, where OpenSSL can't be brought to do what it may do: it is played here."""

from __future__ import annotations

import asyncio
import ssl
from collections import deque
from typing import Any

import pytest

from itoden._native import TlsRecords
from itoden.asyncio.tls import TLSTransport


class Tls:
    """An `ssl.SSLObject` that seals by adding marks. `write()` takes as much as `takes` says, one number or
    error for each call, and all of it when that is over; `read()` gives what `gives` has."""

    def __init__(self, incoming: ssl.MemoryBIO, outgoing: ssl.MemoryBIO) -> None:
        self.incoming, self.outgoing = incoming, outgoing
        self.takes: deque[int | Exception] = deque()
        self.gives: deque[bytes | Exception] = deque()

    def write(self, data: Any) -> int:
        take = self.takes.popleft() if self.takes else len(data)
        if isinstance(take, Exception):
            raise take
        self.outgoing.write(b"<" + bytes(data[:take]) + b">")
        return take

    def read(self, size: int, buffer: Any = None) -> Any:
        self.incoming.read()
        give = self.gives.popleft() if self.gives else ssl.SSLWantReadError()
        if isinstance(give, Exception):
            raise give
        if buffer is None:
            return give
        buffer[: len(give)] = give
        return len(give)

    def pending(self) -> int:
        return len(self.gives)


class Raw:
    """The transport below."""

    def __init__(self) -> None:
        self.written = b""
        self.closing = False

    def write(self, data: bytes) -> None:
        self.written += data

    def is_closing(self) -> bool:
        return self.closing


class Owner:
    """What is rare, as `TLSTransport` has it."""

    _hold = TLSTransport._hold
    _write_held = TLSTransport._write_held

    def __init__(self, records: TlsRecords) -> None:
        self._records = records
        self._held: deque[bytes] = deque()
        self.told: list[Any] = []

    def _end(self) -> None:
        self.told.append("end")

    def _fail(self, error: Exception) -> None:
        self.told.append(error)

    def _advance(self) -> None:
        self.told.append("advance")


class Plain(asyncio.Protocol):
    def __init__(self) -> None:
        self.came = b""

    def data_received(self, data: bytes) -> None:
        self.came += data


class Buffered(asyncio.BufferedProtocol):
    def __init__(self) -> None:
        self.came = b""
        self.buffer = bytearray(6)

    def get_buffer(self, sizehint: int) -> bytearray:
        return self.buffer

    def buffer_updated(self, nbytes: int) -> None:
        self.came += self.buffer[:nbytes]


class Stack:
    """Records between a transport and a protocol, which are open."""

    def __init__(self, protocol: Any) -> None:
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        self.tls = Tls(self.incoming, self.outgoing)
        tls: Any = self.tls
        self.records = TlsRecords(tls, self.incoming, self.outgoing)
        self.owner, self.raw, self.protocol = Owner(self.records), Raw(), protocol
        self.records.belong_to(self.owner)
        self.records.write_to(self.raw)
        self.records.tell(protocol)
        self.records.opened = True

    def come(self, *gives: bytes | Exception) -> None:
        """Ciphertext that is decrypted to that."""
        self.tls.gives.extend(gives)
        self.records.get_buffer(-1)[:1] = b"x"
        self.records.buffer_updated(1)


@pytest.fixture(params=[Plain, Buffered])
def stack(request: pytest.FixtureRequest) -> Stack:
    return Stack(request.param())


def test_records_that_come_together_are_told_in_order(stack: Stack) -> None:
    stack.come(b"one", b"two", b"three!")
    assert stack.protocol.came == b"onetwothree!"
    assert stack.owner.told == []


def test_what_comes_before_a_close_notify_is_told(stack: Stack) -> None:
    stack.come(b"one", b"")
    assert stack.protocol.came == b"one"
    assert stack.owner.told == ["end"]


def test_what_comes_before_an_error_is_told(stack: Stack) -> None:
    error = ssl.SSLError(1, "bad record mac")
    stack.come(b"one", error)
    assert stack.protocol.came == b"one"
    assert stack.owner.told == [error]


def test_an_error_that_is_not_of_tls_is_raised(stack: Stack) -> None:
    with pytest.raises(ZeroDivisionError):
        stack.come(ZeroDivisionError())
    assert stack.owner.told == []


def test_a_record_that_is_not_whole_is_waited_for(stack: Stack) -> None:
    stack.come(ssl.SSLWantReadError())
    assert (stack.protocol.came, stack.owner.told) == (b"", [])


def test_nothing_is_told_while_paused_and_all_of_it_later(stack: Stack) -> None:
    stack.records.paused = True
    stack.come(b"one")
    assert stack.protocol.came == b""
    stack.records.paused = False
    stack.records.read()
    assert stack.protocol.came == b"one"


@pytest.mark.parametrize("state", ["opened", "closing"])
def test_ciphertext_of_handshakes_and_of_the_end_is_the_owners(stack: Stack, state: str) -> None:
    setattr(stack.records, state, state == "closing")
    stack.come()
    assert stack.owner.told == ["advance"]
    assert stack.incoming.read() == b"x"


def test_bytes_are_written_in_records_until_all_are(stack: Stack) -> None:
    stack.tls.takes.extend([2, 3])
    stack.records.write(b"0123456789")
    assert stack.raw.written == b"<01><234><56789>"


def test_much_is_encrypted_and_written_in_pieces(stack: Stack) -> None:
    data = bytes(range(256)) * 2400
    stack.records.write(data)
    piece = 256 << 10
    pieces = [data[at : at + piece] for at in range(0, len(data), piece)]
    assert stack.raw.written == b"".join(b"<" + one + b">" for one in pieces)


def test_what_has_to_wait_for_a_handshake_is_written_behind_it_in_order(stack: Stack) -> None:
    stack.tls.takes.extend([2, ssl.SSLWantReadError()])
    stack.records.write(b"one")
    stack.records.write(b"two")
    stack.records.write(b"three")
    assert stack.raw.written == b"<on>"
    assert stack.records.holding
    # Still not: it keeps its place.
    stack.tls.takes.extend([1, 1, ssl.SSLWantReadError()])
    stack.come()
    assert stack.raw.written == b"<on><e><t>"
    stack.come(b"answer")
    assert stack.raw.written == b"<on><e><t><wo><three>"
    assert not stack.records.holding
    assert stack.protocol.came == b"answer"


def test_an_error_of_writing_is_the_owners(stack: Stack) -> None:
    error = ssl.SSLError(1, "internal error")
    stack.tls.takes.append(error)
    stack.records.write(b"one")
    assert stack.owner.told == [error]


def test_nothing_is_written_by_one_that_closes_or_to_one_that_does(stack: Stack) -> None:
    stack.raw.closing = True
    stack.records.write(b"one")
    stack.raw.closing = False
    stack.records.closing = True
    stack.records.write(b"two")
    assert stack.raw.written == b""


def test_answers_of_tls_itself_are_written(stack: Stack) -> None:
    stack.outgoing.write(b"key update")
    stack.come(b"one")
    assert stack.raw.written == b"key update"


def test_records_that_belong_to_nobody_say_so() -> None:
    stack = Stack(Plain())
    tls: Any = stack.tls
    records = TlsRecords(tls, stack.incoming, stack.outgoing)
    records.get_buffer(-1)
    with pytest.raises(RuntimeError, match="no transport"):
        records.buffer_updated(0)


def test_a_transport_that_keeps_the_buffer_for_later_is_refused() -> None:
    first, second = Stack(Plain()), Stack(Plain())
    first.records.get_buffer(-1)
    second.records.get_buffer(-1)
    with pytest.raises(RuntimeError, match="must follow get_buffer"):
        first.records.buffer_updated(1)
    second.records.buffer_updated(0)
