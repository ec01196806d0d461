"""TLS in threads, against peers that do it by hand."""

from __future__ import annotations

import contextlib
import socket
import ssl
import threading
from collections.abc import Iterator
from typing import Any

import pytest

import itoden
from harness import REQUEST, TEXT, answer_upgrade, frame
from itoden.sync.tls import TlsSocket
from sync_parity import LIBRARIES, echo, nothing, port, running, same, threaded
from test_sync_opening import client_context, server_context

LIBRARY = LIBRARIES["itoden"]


class HandMadeServer:
    """A server of one connection, that does TLS by itself."""

    def __init__(self) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.uri = f"wss://localhost:{self.listener.getsockname()[1]}/"
        self.ready = threading.Event()
        threading.Thread(target=self._open, daemon=True).start()

    def _open(self) -> None:
        accepted, _ = self.listener.accept()
        self.sock = server_context().wrap_socket(accepted, server_side=True)
        request = b""
        while b"\r\n\r\n" not in request:
            request += self.sock.recv(4096)
        self.sock.sendall(answer_upgrade(request))
        self.ready.set()

    def end(self) -> None:
        self.sock.close()
        self.listener.close()


@contextlib.contextmanager
def hand_made(**options: Any) -> Iterator[tuple[Any, HandMadeServer]]:
    server = HandMadeServer()
    connection = LIBRARY.connect(
        server.uri, ssl=client_context(), legacy=True, compression=None, ping_interval=None, **options
    )
    assert server.ready.wait(30)
    yield connection, server
    server.end()
    connection.wait_closed()


@threaded
def test_the_socket_tells_about_tls() -> None:
    def scenario(library: Any) -> Any:
        with running(library.serve(echo, "127.0.0.1", 0, ssl=server_context())) as server:
            with library.connect(f"wss://localhost:{port(server)}/", ssl=client_context()) as connection:
                told = connection.socket
                return (
                    told.version(),
                    told.cipher(),
                    told.getpeercert()["subject"],
                    told.server_hostname,
                    told.selected_alpn_protocol(),
                    told.getpeername()[0],
                )

    assert same(scenario)[0] == "TLSv1.3"


@threaded
def test_the_socket_has_no_other_names() -> None:
    with hand_made() as (connection, _):
        assert isinstance(connection.socket, TlsSocket)
        with pytest.raises(AttributeError, match="'nothing'"):
            _ = connection.socket.nothing


@threaded
def test_close_notify_alone_ends_the_connection() -> None:
    with hand_made() as (connection, server):
        server.sock.sendall(frame(TEXT, b"last", masked=False))
        server.sock.setblocking(False)
        with contextlib.suppress(ssl.SSLWantReadError):
            server.sock.unwrap()  # sends close_notify; the connection below it stays
        assert connection.recv() == "last"
        with pytest.raises(itoden.ConnectionClosedError):
            connection.recv()
        assert connection.close_code == 1006


@threaded
def test_bytes_that_are_not_tls_end_the_connection() -> None:
    with hand_made() as (connection, server):
        raw = socket.socket(fileno=server.sock.fileno())
        raw.sendall(frame(TEXT, b"not encrypted", masked=False))
        raw.detach()
        with pytest.raises(itoden.ConnectionClosedError) as raised:
            connection.recv()
        assert isinstance(raised.value.__cause__, ssl.SSLError)


@threaded
def test_records_come_byte_by_byte_and_many_at_once() -> None:
    """A client between whom and the server somebody cuts the stream anew."""
    with running(LIBRARY.serve(echo, "127.0.0.1", 0, ssl=server_context(), max_size=None)) as server:
        between = socket.create_server(("127.0.0.1", 0))
        near, far = [], []

        def carry(source: socket.socket, sink: socket.socket, most: int) -> None:
            with contextlib.suppress(OSError):
                while data := source.recv(most):
                    sink.sendall(data)
                sink.shutdown(socket.SHUT_WR)

        def join() -> None:
            near.append(between.accept()[0])
            far.append(socket.create_connection(("127.0.0.1", port(server))))
            near[0].setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            up = threading.Thread(target=carry, args=(near[0], far[0], 1), daemon=True)
            up.start()
            carry(far[0], near[0], 7)
            up.join(30)

        joining = threading.Thread(target=join, daemon=True)
        joining.start()
        uri = f"wss://localhost:{between.getsockname()[1]}/"
        with LIBRARY.connect(uri, ssl=client_context(), compression=None) as connection:
            for message in ("", "Hello", "x" * 20_000):
                connection.send(message)
                assert connection.recv() == message
        joining.join(30)
        for sock in (*near, *far, between):
            sock.close()


@threaded
def test_a_request_that_comes_with_the_end_of_the_handshake_is_answered() -> None:
    context = client_context()
    with running(LIBRARY.serve(nothing, "127.0.0.1", 0, ssl=server_context())) as server:
        incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        client = context.wrap_bio(incoming, outgoing, server_hostname="localhost")
        with socket.create_connection(("127.0.0.1", port(server))) as sock:
            while True:
                try:
                    client.do_handshake()
                    break
                except ssl.SSLWantReadError:
                    sock.sendall(outgoing.read())
                    incoming.write(sock.recv(65536))
            client.write(REQUEST.encode() + b"\r\n")
            sock.sendall(outgoing.read())  # the client's Finished and the request
            answer = b""
            while b"\r\n\r\n" not in answer:
                try:
                    answer += client.read()
                except ssl.SSLWantReadError:
                    incoming.write(sock.recv(65536))
        assert answer.startswith(b"HTTP/1.1 101 ")


@threaded
def test_a_peer_is_told_why_its_certificate_is_not_taken() -> None:
    listener = socket.create_server(("127.0.0.1", 0))
    told: list[Exception] = []

    def accept() -> None:
        accepted, _ = listener.accept()
        try:
            with server_context().wrap_socket(accepted, server_side=True) as sock:
                sock.recv(1)
        except ssl.SSLError as error:
            told.append(error)

    accepting = threading.Thread(target=accept, daemon=True)
    accepting.start()
    with pytest.raises(ssl.SSLCertVerificationError):
        LIBRARY.connect(f"wss://localhost:{listener.getsockname()[1]}/")
    accepting.join(30)
    listener.close()
    assert "ALERT_UNKNOWN_CA" in str(told[0])


@threaded
def test_a_handshake_that_never_ends_is_given_up() -> None:
    def scenario(library: Any) -> Any:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            try:
                library.connect(
                    f"wss://localhost:{listener.getsockname()[1]}/", ssl=client_context(), open_timeout=0.1
                )
            except Exception as error:
                return type(error).__name__

    assert same(scenario) == "TimeoutError"


@threaded
def test_a_context_that_makes_sockets_of_its_own_is_let_to() -> None:
    made: list[ssl.SSLSocket] = []

    class Context(ssl.SSLContext):
        def wrap_socket(self, *args: Any, **kwargs: Any) -> ssl.SSLSocket:
            made.append(super().wrap_socket(*args, **kwargs))
            return made[-1]

    context = Context(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    with running(LIBRARY.serve(echo, "127.0.0.1", 0, ssl=server_context())) as server:
        with LIBRARY.connect(f"wss://localhost:{port(server)}/", ssl=context) as connection:
            connection.send("x" * 100_000)
            assert connection.recv() == "x" * 100_000
            assert connection.socket is made[0]


@threaded
def test_threads_send_and_receive_over_tls_at_once() -> None:
    with running(LIBRARY.serve(echo, "127.0.0.1", 0, ssl=server_context(), max_size=None)) as server:
        uri = f"wss://localhost:{port(server)}/"
        with LIBRARY.connect(uri, ssl=client_context(), max_size=None) as connection:
            sizes = [0, 100, 70_000, 300_000] * 5
            sending = threading.Thread(target=lambda: [connection.send(bytes(size)) for size in sizes])
            sending.start()
            assert [len(connection.recv()) for _ in sizes] == sizes
            sending.join(30)
