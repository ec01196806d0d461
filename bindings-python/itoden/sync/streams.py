"""Sockets in one form: calls that don't wait."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl as ssl_module
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .tls import Tls

__all__ = ["SslSocketStream", "Stream", "open_stream", "wait_for"]

_WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl_module.SSLWantReadError, ssl_module.SSLWantWriteError)


# Calls of a socket that waits can be told not to; where they can't, sockets are set not to wait.
_CAN_TELL = hasattr(socket, "MSG_DONTWAIT")
_NOW: int = getattr(socket, "MSG_DONTWAIT", 0)


class Stream:
    """A connected TCP or Unix socket.

    Args:
        sock: the socket.
        tls: TLS, if the socket itself is not to be read and written as it is.

    Attributes:
        descriptor: of a plain socket that waits, so that it can be read in one system call; else `None`.
    """

    waits = _CAN_TELL
    descriptor: int | None = None

    def __init__(self, sock: socket.socket, tls: Tls | None = None) -> None:
        if self.waits:
            sock.settimeout(None)
            self.descriptor = sock.fileno()
        else:
            sock.settimeout(0)
        self.socket = sock
        self.tls = tls
        # What TLS waits for in the other direction: to read, it may have to write first, and the reverse.
        self.reading_wants_to_write = False
        self.writing_wants_to_read = False

    def read_into(self, buffer: memoryview) -> int | None:
        """Reads what is there; 0 at the end, `None` if nothing is there."""
        try:
            return self.socket.recv_into(buffer, 0, _NOW)
        except _WOULD_BLOCK:
            return None

    def write(self, data: memoryview | bytes) -> int:
        """Writes what there is room for, and returns how much that was."""
        try:
            return self.socket.send(data, _NOW)
        except _WOULD_BLOCK:
            return 0

    def pending(self) -> bool:
        """Whether something can be read that the socket does not tell of."""
        return False

    def end_writing(self) -> None:
        """Ends this side of the transport."""
        if self.tls is not None:
            with contextlib.suppress(OSError):
                self.write(self.tls.end())
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_WR)

    def shut(self) -> None:
        """Ends both sides, which wakes the threads that wait for this socket."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.socket, socket.SHUT_RDWR)

    def close(self) -> None:
        """Gives the socket back."""
        with contextlib.suppress(OSError):
            self.socket.close()


class SslSocketStream(Stream):
    """A socket of the module `ssl`, whose handshake is done."""

    waits = False
    socket: ssl_module.SSLSocket

    def read_into(self, buffer: memoryview) -> int | None:
        self.reading_wants_to_write = False
        try:
            # A record has 16 KiB at the most: several are read at once, as from a plain socket.
            count = self.socket.recv_into(buffer)
        except ssl_module.SSLWantWriteError:
            self.reading_wants_to_write = True
            return None
        except _WOULD_BLOCK:
            return None
        while count and count < len(buffer) and self.socket.pending():
            try:
                more = self.socket.recv_into(buffer[count:])
            except _WOULD_BLOCK:
                break
            if not more:
                break
            count += more
        return count

    def write(self, data: memoryview | bytes) -> int:
        self.writing_wants_to_read = False
        count = 0
        view = memoryview(data)
        try:
            while count < len(view):
                count += self.socket.send(view[count:])
        except ssl_module.SSLWantReadError:
            self.writing_wants_to_read = True
        except _WOULD_BLOCK:
            pass
        return count

    def pending(self) -> bool:
        return self.socket.pending() > 0

    def end_writing(self) -> None:
        if self.tls is None:
            # close_notify goes out, and that of the peer is not waited for (RFC 8446 §6.1).
            with contextlib.suppress(OSError, ValueError):
                self.socket.unwrap()
        super().end_writing()


def open_stream(sock: socket.socket) -> Stream:
    """The form that fits a socket."""
    return SslSocketStream(sock) if isinstance(sock, ssl_module.SSLSocket) else Stream(sock)


if sys.platform == "win32":

    def wait_for(sock: socket.socket, read: bool, write: bool, timeout: float | None) -> tuple[bool, bool]:
        """Waits until a socket can be read or written, for so many seconds; which of both it can."""
        ready = select.select([sock] * read, [sock] * write, [sock], timeout)
        return bool(ready[0] or ready[2]), bool(ready[1])

else:

    def wait_for(sock: socket.socket, read: bool, write: bool, timeout: float | None) -> tuple[bool, bool]:
        """Waits until a socket can be read or written, for so many seconds; which of both it can."""
        poll = select.poll()
        poll.register(sock.fileno(), select.POLLIN * read | select.POLLOUT * write)
        # Rounded up, or what is due in less than a millisecond would be waited for without a pause.
        ready = poll.poll(None if timeout is None else int(timeout * 1000) + (timeout > 0))
        flags = ready[0][1] if ready else 0
        ended = flags & (select.POLLHUP | select.POLLERR | select.POLLNVAL)
        return bool(ended or flags & select.POLLIN), bool(ended or flags & select.POLLOUT)
