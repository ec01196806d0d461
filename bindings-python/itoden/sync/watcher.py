"""One thread for all connections of a process that no thread of the application looks after at the moment.

A connection is *hot* while it is used: it costs the watcher a look every now and then, and the thread that
uses it nothing. Was it not used between two looks, it is *armed*: the watcher waits for its bytes and its
time. When somebody uses it again, it is hot again.
"""

from __future__ import annotations

import contextlib
import heapq
import os
import selectors
import socket
import threading
import time
import weakref
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .transport import Transport

__all__ = ["watcher"]

_LOOK = 0.05
"""Seconds between two looks at hot connections: how late a ping is answered that comes just after the
application took a message and went away."""


class Watcher:
    """The watcher of a process; see the module."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._hot: dict[Transport, int] = {}
        self._armed: dict[Transport, int | None] = {}
        self._times: list[tuple[float, int, weakref.ref[Transport]]] = []
        self._count = 0
        self._earliest = float("inf")
        self._selector = selectors.DefaultSelector()
        self._bell, self._ringer = socket.socketpair()
        self._bell.setblocking(False)
        self._ringer.setblocking(False)
        self._selector.register(self._bell, selectors.EVENT_READ)
        threading.Thread(target=self._run, name="itoden-watcher", daemon=True).start()

    # --- called by any thread ---

    def heat(self, transport: Transport) -> None:
        """Looks at a connection from now on."""
        with self._lock:
            first = not self._hot
            self._hot[transport] = transport.turns
        if first:
            self._ring()

    def note(self, transport: Transport) -> None:
        """The time of an armed connection has changed."""
        timer = transport.timer
        if timer is None:
            return
        with self._lock:
            self._count += 1
            heapq.heappush(self._times, (timer.when, self._count, weakref.ref(transport)))
            earlier = timer.when < self._earliest
        if earlier:
            self._ring()

    def look_again(self, transport: Transport) -> None:
        """What an armed connection waits for has changed."""
        with self._lock:
            if transport in self._armed:
                self._register(transport, transport.interest)
        self._ring()

    def forget(self, transport: Transport) -> None:
        """A connection has ended; its socket is about to be closed."""
        with self._lock:
            self._hot.pop(transport, None)
            fd = self._armed.pop(transport, None)
            if fd is not None:
                with contextlib.suppress(KeyError, ValueError, OSError):
                    self._selector.unregister(fd)

    def _ring(self) -> None:
        with contextlib.suppress(BlockingIOError):
            self._ringer.send(b"!")

    # --- the thread ---

    def _run(self) -> None:
        never = float("inf")
        next_look = never
        while True:
            now = time.monotonic()
            with self._lock:
                self._earliest = self._times[0][0] if self._times else never
                # A connection that has just become hot is looked at in a while, not now.
                next_look = min(next_look, now + _LOOK) if self._hot else never
                until = min(self._earliest, next_look)
            # No variable here holds a connection while this waits: one that has ended is to be collected.
            self._see(self._selector.select(None if until == never else max(until - now, 0)))
            now = time.monotonic()
            if now >= next_look:
                self._look()
                next_look = never
            self._keep_time(now)

    def _see(self, ready: list[tuple[selectors.SelectorKey, int]]) -> None:
        for key, events in ready:
            if key.data is None:
                with contextlib.suppress(BlockingIOError):
                    self._bell.recv(4096)
            else:
                read, write = bool(events & selectors.EVENT_READ), bool(events & selectors.EVENT_WRITE)
                self._attend(key.data, read, write)

    def _look(self) -> None:
        with self._lock:
            hot = list(self._hot.items())
        for transport, turns in hot:
            wanted = transport.cool(turns)
            if wanted is None:
                with self._lock:
                    if transport in self._hot:
                        self._hot[transport] = transport.turns
                continue
            with self._lock:
                if self._hot.get(transport) == turns:
                    del self._hot[transport]
            if transport.armed:
                self._arm(transport, wanted)

    def _arm(self, transport: Transport, wanted: tuple[bool, bool]) -> None:
        with self._lock:
            self._register(transport, wanted)
        self.note(transport)
        # What TLS has read already is not told by the socket.
        if wanted[0] and transport.stream.pending():
            self._attend(transport, True, False)

    def _register(self, transport: Transport, wanted: tuple[bool, bool]) -> None:
        """Under the lock: tells the selector what is waited for."""
        read, write = wanted
        events = selectors.EVENT_READ * read | selectors.EVENT_WRITE * write
        fd = self._armed.get(transport)
        if transport.ended:
            return
        try:
            if fd is None and events:
                fd = transport.stream.socket.fileno()
                self._selector.register(fd, events, transport)
            elif fd is not None and not events:
                self._selector.unregister(fd)
                fd = None
            elif fd is not None and self._selector.get_key(fd).events != events:
                self._selector.modify(fd, events, transport)
        except (KeyError, ValueError, OSError):  # closed in this moment
            fd = None
        self._armed[transport] = fd

    def _attend(self, transport: Transport, readable: bool, writable: bool) -> None:
        """Something came for an armed connection, or it has room."""
        if writable:
            transport.flush_and_tell()
        if readable:
            if not transport.take_wheel():
                self._disarm(transport)
                return
            transport.attend()
        with self._lock:
            if transport in self._armed:
                self._register(transport, transport.interest)

    def _disarm(self, transport: Transport) -> None:
        """Somebody uses it."""
        with self._lock:
            fd = self._armed.pop(transport, None)
            if fd is not None:
                with contextlib.suppress(KeyError, ValueError, OSError):
                    self._selector.unregister(fd)
            if not transport.ended:
                self._hot[transport] = transport.turns
        transport.disarm(hot=True)

    def _keep_time(self, now: float) -> None:
        while True:
            with self._lock:
                if not self._times or self._times[0][0] > now:
                    return
                transport = heapq.heappop(self._times)[2]()
                armed = transport in self._armed
            timer = None if transport is None else transport.timer
            if not armed or timer is None or transport is None:
                continue
            if timer.when <= now:
                transport.tick()
            else:
                self.note(transport)


_watcher: Watcher | None = None
_making = threading.Lock()


def watcher() -> Watcher:
    """The watcher, which begins with the first connection."""
    global _watcher
    if _watcher is None:
        with _making:
            if _watcher is None:
                _watcher = Watcher()
    return _watcher


def _forget_watcher() -> None:
    global _watcher, _making
    _watcher, _making = None, threading.Lock()


# A forked child has none of its parent's threads.
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_watcher)
