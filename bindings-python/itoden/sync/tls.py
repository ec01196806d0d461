"""TLS between memory and a socket: what comes is read in one system call, and what goes is written in one,
however many records that is. No thread waits within TLS, so that others can use it meanwhile."""

from __future__ import annotations

import contextlib
import socket
import ssl as ssl_module
from collections.abc import Callable
from typing import Any

from .streams import SslSocketStream, Stream

__all__ = ["Tls", "TlsSocket", "secure"]

# What is read of the handshake at once: a flight of records.
_FLIGHT = 65536


class Tls:
    """TLS without a socket.

    Args:
        context: the TLS context.
        server_hostname: the name of the server, for a client.
        server_side: whether this is the server's end.
    """

    def __init__(
        self, context: ssl_module.SSLContext, server_hostname: str | None, *, server_side: bool = False
    ) -> None:
        self._incoming, self._outgoing = ssl_module.MemoryBIO(), ssl_module.MemoryBIO()
        self.object = context.wrap_bio(
            self._incoming, self._outgoing, server_side=server_side, server_hostname=server_hostname
        )
        # What can't be encrypted before something was read: TLS 1.2 agrees on new keys.
        self._held: list[bytes] = []
        self._over = False

    def shake_hands(self, sock: socket.socket, left: Callable[[], float | None]) -> None:
        """The handshake, over a socket that waits.

        Args:
            left: how many seconds there are for it; `None` as long as it takes.

        Raises:
            OSError: it failed.
        """
        while True:
            try:
                self.object.do_handshake()
            except ssl_module.SSLWantReadError:
                pass
            except ssl_module.SSLError:
                # An alert tells the peer why.
                with contextlib.suppress(OSError):
                    sock.sendall(self._outgoing.read())
                raise
            else:
                sock.sendall(self._outgoing.read())
                return
            sock.settimeout(left())
            sock.sendall(self._outgoing.read())
            data = sock.recv(_FLIGHT)
            if data:
                self._incoming.write(data)
            else:
                self._incoming.write_eof()

    def feed(self, data: bytes | memoryview) -> None:
        """Takes what came."""
        self._incoming.write(data)

    def decrypt_into(self, buffer: memoryview) -> int | None:
        """What that is without TLS, as much as there is room for; 0 at the end, `None` if there is nothing
        before more comes.

        Raises:
            OSError: it is not TLS, or was changed on its way.
        """
        if self._over:
            return 0
        count = 0
        read, pending, incoming = self.object.read, self.object.pending, self._incoming
        try:
            # One record at a time, of 16 KiB at the most.
            while count < len(buffer):
                more: int = read(len(buffer) - count, buffer[count:] if count else buffer)  # type: ignore[assignment]
                if not more:
                    self._over = True
                    return count
                count += more
                if not (incoming.pending or pending()):
                    break
        except ssl_module.SSLWantReadError:
            return count or None
        except (ssl_module.SSLEOFError, ssl_module.SSLZeroReturnError):
            self._over = True
        return count

    def pending(self) -> bool:
        """Whether `decrypt_into()` may have more to give."""
        return self._over or self._incoming.pending > 0 or self.object.pending() > 0

    def encrypt(self, data: bytes) -> bytes:
        """What is to be written for that, if it can be said already."""
        if self._held:
            self._held.append(data)
            return self.answer()
        try:
            self.object.write(data)
        except ssl_module.SSLWantReadError:
            self._held.append(data)
        return self._outgoing.read()

    def answer(self) -> bytes:
        """What TLS itself has to say after something came, and what had to wait for that."""
        try:
            while self._held:
                self.object.write(self._held[0])
                del self._held[0]
        except ssl_module.SSLWantReadError:
            pass
        return self._outgoing.read() if self._outgoing.pending else b""

    def end(self) -> bytes:
        """What ends this side: close_notify. That of the peer is not waited for (RFC 8446 §6.1)."""
        with contextlib.suppress(OSError, ValueError):
            self.object.unwrap()
        return self._outgoing.read()


class TlsSocket(socket.socket):
    """A socket whose bytes are TLS's. What an `ssl.SSLSocket` tells about TLS is told by this too, by
    `ssl.SSLObject`: `version()`, `cipher()`, `getpeercert()`, `selected_alpn_protocol()` and so on."""

    def __init__(self, sock: socket.socket, tls: Tls) -> None:
        super().__init__(sock.family, sock.type, sock.proto, fileno=sock.detach())
        self._object = tls.object

    def __getattr__(self, name: str) -> Any:
        if name.startswith("_"):
            raise AttributeError(name)
        return getattr(self._object, name)


def secure(
    sock: socket.socket,
    context: ssl_module.SSLContext,
    server_hostname: str | None,
    left: Callable[[], float | None],
    *,
    server_side: bool = False,
) -> Stream:
    """Begins TLS on a connected socket, or within the TLS of a proxy.

    Args:
        left: how many seconds there are for the handshake; `None` as long as it takes.

    Raises:
        OSError: the handshake failed.
    """
    sock.settimeout(left())
    nested = isinstance(sock, ssl_module.SSLSocket)
    # A context that makes sockets of its own may do more with them than there is to be seen here.
    ordinary = (
        type(context).wrap_socket is ssl_module.SSLContext.wrap_socket
        and context.sslsocket_class is ssl_module.SSLSocket
    )
    if not nested and not ordinary:
        wrapped = context.wrap_socket(sock, server_hostname=server_hostname, server_side=server_side)
        return SslSocketStream(wrapped)
    tls = Tls(context, server_hostname, server_side=server_side)
    tls.shake_hands(sock, left)
    if isinstance(sock, ssl_module.SSLSocket):
        return SslSocketStream(sock, tls)
    return Stream(TlsSocket(sock, tls), tls)
