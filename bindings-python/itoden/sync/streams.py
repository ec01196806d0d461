"""Sockets that don't wait, plain and with TLS, in one form."""

from __future__ import annotations

import contextlib
import select
import socket
import ssl as ssl_module
import sys

__all__ = ["NestedTls", "Stream", "TlsStream", "open_stream", "wait_for"]

_WOULD_BLOCK = (BlockingIOError, InterruptedError, ssl_module.SSLWantReadError, ssl_module.SSLWantWriteError)


# Calls of a socket that waits can be told not to; where they can't, sockets are set not to wait.
_CAN_TELL = hasattr(socket, "MSG_DONTWAIT")
_NOW: int = getattr(socket, "MSG_DONTWAIT", 0)


class Stream:
    """A connected TCP or Unix socket.

    Args:
        sock: the socket.

    Attributes:
        descriptor: of a plain socket that waits, so that it can be read in one system call; else `None`.
    """

    tls = False
    descriptor: int | None = None

    def __init__(self, sock: socket.socket) -> None:
        if self.tls or not _CAN_TELL:
            sock.settimeout(0)
        else:
            sock.settimeout(None)
            self.descriptor = sock.fileno()
        self.socket = sock
        # What TLS waits for in the other direction: to read, it may have to write first, and the reverse.
        self.reading_wants_to_write = False
        self.writing_wants_to_read = False

    @property
    def raw(self) -> socket.socket:
        """The socket whose readiness counts."""
        return self.socket

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

    def flush(self) -> bool:
        """Writes what was taken, but is not written; whether that is all."""
        return True

    def end_writing(self) -> None:
        """Ends this side of the transport."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.raw, socket.SHUT_WR)

    def shut(self) -> None:
        """Ends both sides, which wakes the threads that wait for this socket."""
        with contextlib.suppress(OSError):
            socket.socket.shutdown(self.raw, socket.SHUT_RDWR)

    def close(self) -> None:
        """Gives the socket back."""
        with contextlib.suppress(OSError):
            self.raw.close()


class TlsStream(Stream):
    """A socket with TLS, whose handshake is done."""

    tls = True
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
        # close_notify goes out, and that of the peer is not waited for (RFC 8446 §6.1).
        with contextlib.suppress(OSError, ValueError):
            self.socket.unwrap()
        super().end_writing()


class NestedTls(Stream):
    """TLS within the TLS of a proxy.

    Args:
        sock: the socket with TLS to the proxy; its timeout bounds each step of this handshake.
        context: the TLS context.
        server_hostname: the name of the server.
    """

    tls = True

    def __init__(
        self, sock: ssl_module.SSLSocket, context: ssl_module.SSLContext, server_hostname: str | None
    ) -> None:
        self._incoming, self._outgoing = ssl_module.MemoryBIO(), ssl_module.MemoryBIO()
        self._object = context.wrap_bio(self._incoming, self._outgoing, server_hostname=server_hostname)
        self._left = b""
        done = False
        while not done:
            try:
                self._object.do_handshake()
                done = True
            except ssl_module.SSLWantReadError:
                pass
            sock.sendall(self._outgoing.read())
            if not done:
                self._take(sock.recv(65536))
        super().__init__(sock)

    def _take(self, data: bytes) -> None:
        if data:
            self._incoming.write(data)
        else:
            self._incoming.write_eof()

    def read_into(self, buffer: memoryview) -> int | None:
        while True:
            try:
                return self._object.read(len(buffer), buffer)  # type: ignore[return-value]
            except ssl_module.SSLEOFError:
                return 0
            except ssl_module.SSLWantReadError:
                self.flush()
            try:
                self._take(self.socket.recv(65536))
            except _WOULD_BLOCK:
                return None

    def write(self, data: memoryview | bytes) -> int:
        if not self.flush():
            return 0
        count = self._object.write(data)
        self.flush()
        return count

    def pending(self) -> bool:
        return self._object.pending() > 0 or self._incoming.pending > 0

    def flush(self) -> bool:
        self._left += self._outgoing.read()
        try:
            while self._left:
                self._left = self._left[self.socket.send(self._left) :]
        except _WOULD_BLOCK:
            return False
        return True

    def end_writing(self) -> None:
        with contextlib.suppress(OSError, ValueError):
            self._object.unwrap()
        with contextlib.suppress(OSError):
            self.flush()
        super().end_writing()


def open_stream(sock: socket.socket | NestedTls) -> Stream:
    """The form that fits a socket."""
    if isinstance(sock, NestedTls):
        return sock
    return TlsStream(sock) if isinstance(sock, ssl_module.SSLSocket) else Stream(sock)


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
