"""What the native half of a connection takes for its transport and its event loop, over a socket and threads.

There is no thread per connection. Whoever waits for something, in `recv()`, `send()`, `close()` or for a
pong, drives the connection meanwhile: reads, decodes, answers pings, keeps the time. Others who wait are
woken after each such turn. While nobody waits, the watcher's one thread for all connections does it.

What each message needs is native: `_native.Line` knows who drives, and its `receive()` waits, reads and
decodes without a step in Python, as long as nothing out of the ordinary happens. That, and TLS, is here.

The law of the locks: `lock` guards the native half and the socket and is never held while waiting; `_changed`
is for those who follow, and is held from the moment that one decides to; the watcher's own lock comes last.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, cast

from .._native import Line, give_buffer_back
from .streams import Stream, wait_for
from .watcher import watcher

if TYPE_CHECKING:
    from ..base import BaseConnection
    from .tls import Tls

__all__ = ["Timer", "Transport", "Waiter"]


class Waiter(threading.Event):
    """What the native half is told to settle: a future for threads. Waiting for it drives the connection.

    Attributes:
        latency: of a ping: how long its pong took, in seconds, or `None` before it came.
        ack_on_close: whether the end of the connection sets it too.
    """

    def __init__(self, transport: Transport) -> None:
        super().__init__()
        self._transport = transport
        self.latency: float | None = None
        self.ack_on_close = False

    def wait(self, timeout: float | None = None) -> bool:
        """Waits until it is set, for so many seconds; whether it is."""
        if self.is_set():
            return True
        if self._transport.ended:  # what has not come by then never does
            return super().wait(timeout)
        return self._transport.wait(self.is_set, timeout) or (timeout is None and super().wait())

    def done(self) -> bool:
        """Whether it is settled already."""
        return self.is_set()

    def set_result(self, result: float | None) -> None:
        """It came."""
        self.latency = result
        self._settle()

    def set_exception(self, exception: BaseException) -> None:
        """It will not come."""
        if self.ack_on_close:
            self._settle()

    def _settle(self) -> None:
        # Who waits for it may follow another thread, that waits for something to read.
        self.set()
        self._transport.tell()

    def exception(self) -> None:
        """Nobody need look at the exception."""


class Timer:
    """A callback at a time of the monotonic clock."""

    __slots__ = ("callback", "transport", "when")

    def __init__(self, transport: Transport, when: float, callback: Callable[[], None]) -> None:
        self.transport = transport
        self.when = when
        self.callback = callback

    def cancel(self) -> None:
        """Forgets it."""
        if self.transport.timer is self:
            self.transport.timer = None


# What `_begin()` says is to be done.
_LOOK, _DRIVE, _PUSH = 0, 1, 2


class Transport(Line):
    """Drives a connection over a socket.

    Args:
        stream: the socket.
        connection: the connection, which is told what comes.
    """

    def __new__(cls, stream: Stream, connection: BaseConnection) -> Transport:
        return super().__new__(cls, stream.descriptor, stream.tls is not None)

    def __init__(self, stream: Stream, connection: BaseConnection) -> None:
        self.stream = stream
        self._connection = connection
        self.timer: Timer | None = None
        self._reading_paused = False
        self._closing = False
        self._eof_after = False
        self._addresses = tuple(map(_address, (stream.socket.getsockname, stream.socket.getpeername)))
        self._unsent: memoryview | bytes = b""
        self._changed = threading.Condition(threading.Lock())

    # --- what asyncio calls a transport: called by the native half, under the lock ---

    def set_write_buffer_limits(self, high: int, low: int | None = None) -> None:
        """Not needed: whatever can't be written at once makes the sender wait."""

    def get_write_buffer_size(self) -> int:
        """How many bytes wait to be written."""
        return len(self._unsent)

    def get_extra_info(self, name: str) -> Any:
        """The address of either end."""
        return self._addresses[name == "peername"]

    def pause_reading(self) -> None:
        """Nothing more is read for now."""
        self._reading_paused = True

    def resume_reading(self) -> None:
        """Reading goes on."""
        self._reading_paused = False
        self.tell()
        self._look_after()

    def can_write_eof(self) -> bool:
        """Whether one side can end alone."""
        return True

    def write_eof(self) -> None:
        """Ends this side, once all is written."""
        if self._unsent:
            self._eof_after = True
        else:
            self.stream.end_writing()

    def close(self) -> None:
        """Ends the transport, once all is written."""
        self._closing = True
        if not self._unsent:
            self._end(None)

    def abort(self) -> None:
        """Ends the transport at once."""
        self._unsent = b""
        self._end(None)

    def write(self, data: bytes) -> None:
        """Writes, or keeps for later what there is no room for."""
        if self.ended:
            return
        tls = self.stream.tls
        self._put(data if tls is None else tls.encrypt(data))

    def _put(self, data: bytes) -> None:
        """Writes what is not changed any more."""
        if self._unsent:
            self._unsent = bytes(self._unsent) + data
            return
        count = self.stream.write(data)
        if count < len(data):
            self._unsent = memoryview(data)[count:]
            self._connection.pause_writing()
            self._look_after()

    # --- what asyncio calls an event loop ---

    def call_later(self, delay: float, callback: Callable[[], None]) -> Timer:
        """Calls back in so many seconds. The native half has one timer at a time."""
        timer = self.timer = Timer(self, time.monotonic() + delay, callback)
        if self.armed:
            watcher().note(self)
        return timer

    def call_soon(self, callback: Callable[[], None]) -> None:
        """Calls back at once: there is no turn of a loop to wait for."""
        callback()

    def create_future(self) -> Waiter:
        """Something to wait for."""
        return Waiter(self)

    # --- waiting ---

    def wait(self, done: Callable[[], bool], timeout: float | None = None) -> bool:
        """Waits until `done()` holds or the transport has ended, for so many seconds at the most. Whether it
        holds."""
        until = None if timeout is None else time.monotonic() + timeout
        while True:
            # Read before looking: what happens after it is noticed by whoever then would wait.
            seen = self._happened
            if done():
                return True
            if self.ended:
                return done()
            left = None if until is None else until - time.monotonic()
            self._step(seen, left if left is None or left > 0 else 0, done)
            if left is not None and left <= 0:
                return done()

    def take(self, take: Callable[[], Any]) -> Any:
        """Waits until `take()`, which is called under the lock, gives something else than `None`, and returns
        it."""
        while True:
            seen = self._happened
            with self.lock:
                taken = take()
            if taken is not None:
                return taken
            self._step(seen, None)

    def _step(self, seen: int, timeout: float | None, done: Callable[[], bool] | None = None) -> None:
        """One turn, or if another thread drives: until it has done one. Nothing if more has happened than was
        `seen`. `done`: what is waited for, if it is not only something to read."""
        timer = self.timer
        with self._changed:
            role = self._begin(seen, self._reading_paused, bool(self._unsent))
            if role > _PUSH:
                try:
                    self._changed.wait(_shorter(timeout, timer))
                finally:
                    self._stop_following()
        if role == _LOOK:
            return
        if role == _DRIVE:
            try:
                self.turn(timeout, done)
            finally:
                self._leave(True, True)
            return
        if role == _PUSH:
            try:
                if not self.ended:
                    wait_for(self.stream.socket, False, True, _shorter(timeout, timer))
            finally:
                self._leave(False, True)
            self.flush_and_tell()
        self._tick()

    def attend(self) -> None:
        """A turn for those who are away, by the watcher, who has taken the wheel with `take_wheel()`."""
        try:
            self.turn(0)
        finally:
            self._leave(True, False)

    def _wake(self) -> None:
        """Called by the native half: there are followers."""
        with self._changed:
            self._changed.notify_all()

    def _give_back(self) -> None:
        """Called by the native half: the transport has ended, and nobody uses the socket any more."""
        self.stream.close()

    def tell(self) -> None:
        """Something happened."""
        if self._happen():
            self._wake()

    def _offer(self) -> None:
        """Nobody may be there to look after the connection: the watcher is to, if that is so."""
        if self._heat():
            watcher().heat(self)

    def _look_after(self) -> None:
        """What is to be looked for has changed, and nobody may be looking."""
        if self.armed:
            watcher().look_again(self)
        else:
            self._offer()

    def cool(self, turns: int) -> tuple[bool, bool] | None:
        """For the watcher: `None` if the connection was used since there were that many turns; else whether
        to look for bytes that come and for room to write, both not if somebody drives."""
        watch = self._cool(turns, bool(self._unsent))
        if watch is None:
            return None
        return self.interest if watch else (False, False)

    @property
    def interest(self) -> tuple[bool, bool]:
        """For the watcher: whether to look for bytes that come, and for room to write."""
        return not self._reading_paused and not self._driven, bool(self._unsent)

    # --- turns ---

    def turn(self, timeout: float | None, done: Callable[[], bool] | None = None) -> None:
        """Waits for the socket or the time, so many seconds at the most, and does what is to be done. Not if
        it is `done`."""
        stream = self.stream
        with self.lock:
            # What is not done now, and what this does not do itself, others do by writing all that is unsent:
            # which is noticed where room to write is waited for too, and only there.
            if self.ended or (done is not None and done()):
                return
            read = not self._reading_paused
            unsent = bool(self._unsent)
        if not unsent and self._turn(self._connection, timeout):
            return
        write = unsent and not stream.writing_wants_to_read
        if read and stream.pending():
            readable, writable = True, False
        else:
            readable, writable = wait_for(
                stream.socket, read, write or stream.reading_wants_to_write, _shorter(timeout, self.timer)
            )
        with self.lock:
            if writable or (readable and stream.writing_wants_to_read):
                self._flush()
            # Without being asked for, readable means ended: what came before is read, however much waits
            # already.
            if readable or (writable and stream.reading_wants_to_write):
                self._read()
        self._tick()

    def _read(self) -> None:
        if self.ended:
            return
        connection, stream = self._connection, self.stream
        buffer = connection.get_buffer(-1)
        try:
            count = stream.read_into(buffer)
            if not count:
                if count == 0:
                    self._receive_end()
            elif stream.tls is None:
                connection.buffer_updated(count)
            else:
                stream.tls.feed(buffer[:count])
                self._decrypt(stream.tls, buffer)
        except OSError as error:
            self._end(error)
        finally:
            # The next may be read by another thread, and each with a buffer of its own would be much memory.
            give_buffer_back()

    def begin(self) -> None:
        """Called under the lock, when the connection is told what comes: TLS may have read some of it."""
        tls = self.stream.tls
        if tls is not None and tls.pending():
            try:
                self._decrypt(tls, self._connection.get_buffer(-1))
            except OSError as error:
                self._end(error)
            finally:
                give_buffer_back()

    def _receive_encrypted(self, data: bytes, more: bool) -> None:
        """Called by the native half, under the lock: it has read this, and there may be more."""
        stream, tls = self.stream, cast("Tls", self.stream.tls)
        buffer = self._connection.get_buffer(-1)
        try:
            tls.feed(data)
            # An end comes again when it is asked for again.
            if more and (count := stream.read_into(buffer)):
                tls.feed(buffer[:count])
            self._decrypt(tls, buffer)
        except OSError as error:
            self._end(error)
        finally:
            give_buffer_back()

    def _decrypt(self, tls: Tls, buffer: memoryview) -> None:
        """Hands on all that came, also while reading is paused: so none of it waits where no socket tells of
        it."""
        connection = self._connection
        try:
            while count := tls.decrypt_into(buffer):
                connection.buffer_updated(count)
                if self.ended or not tls.pending():
                    break
                buffer = connection.get_buffer(-1)
        finally:
            if not self.ended and (answer := tls.answer()):
                self._put(answer)
        if count == 0:
            self._receive_end()

    def _receive_end(self) -> None:
        """The peer has ended its side. Called by the native half, too."""
        with self.lock:
            if not self.ended:
                self._connection.eof_received()
                self.close()

    def _fail_reading(self, error: OSError) -> None:
        """Called by the native half."""
        with self.lock:
            self._end(error)

    def _flush(self) -> None:
        if self.ended or not self._unsent:
            return
        try:
            self._unsent = self._unsent[self.stream.write(self._unsent) :]
            if self._unsent:
                return
        except OSError as error:
            self._end(error)
            return
        self._unsent = b""
        self._connection.resume_writing()
        if self._unsent:
            return
        if self._closing:
            self._end(None)
        elif self._eof_after:
            self._eof_after = False
            self.stream.end_writing()

    def flush_and_tell(self) -> None:
        """Writes what there is room for, and wakes those who wait for it."""
        with self.lock:
            self._flush()
        self.tell()

    def _tick(self) -> None:
        """Does what is due."""
        timer = self.timer
        if timer is not None and timer.when <= time.monotonic():
            with self.lock:
                if self.timer is timer and not self.ended:
                    self.timer = None
                    timer.callback()

    def tick(self) -> None:
        """For the watcher: does what is due."""
        self._tick()
        self.tell()

    def _end(self, because: Exception | None) -> None:
        """The end of the transport. The socket is given back by the last thread that has it in its hands."""
        if self.ended:
            return
        used, armed = self._set_ended()
        self.timer = None
        if armed:
            watcher().forget(self)
        if used:
            self.stream.shut()
        self._connection.connection_lost(because)
        self.tell()
        if not used:
            self.stream.close()


def _address(get: Callable[[], Any]) -> Any:
    try:
        return get()
    except OSError:  # the peer has gone already
        return None


def _shorter(timeout: float | None, timer: Timer | None) -> float | None:
    if timer is None:
        return timeout
    left = max(timer.when - time.monotonic(), 0)
    return left if timeout is None or left < timeout else timeout
