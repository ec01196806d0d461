"""TLS of the package, on asyncio's loop and uvloop, against peers that do it by hand."""

from __future__ import annotations

import asyncio
import contextlib
import functools
import importlib
import importlib.util
import inspect
import socket
import ssl
from collections.abc import AsyncIterator, Awaitable, Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import itoden
from harness import REQUEST, accept_value, frame, until
from itoden.asyncio import securing
from itoden.asyncio.tls import TLSTransport
from parity import nothing, port, serving

CERTIFICATE = Path(__file__).with_name("localhost.pem")
LOOPS = ["asyncio", *(["uvloop"] if importlib.util.find_spec("uvloop") else [])]
VERSIONS = [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3]


def on_every_loop(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    """Runs a test on asyncio's loop, in debug mode, and on uvloop; what a callback raises fails it."""

    @pytest.mark.parametrize("loop", LOOPS)
    @functools.wraps(test)
    def run(*, loop: str, **kwargs: Any) -> None:
        wrong: list[dict[str, Any]] = []

        async def limited() -> None:
            asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
            async with asyncio.timeout(30):
                await test(**kwargs)

        factory = importlib.import_module("uvloop").new_event_loop if loop == "uvloop" else None
        with asyncio.Runner(debug=loop == "asyncio", loop_factory=factory) as runner:
            runner.run(limited())
        assert wrong == []

    # pytest looks for the names of parameters here.
    names = [*inspect.signature(test).parameters, "loop"]
    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names]
    vars(run)["__signature__"] = inspect.Signature(parameters)
    shown: Callable[..., None] = run
    return shown


def server_tls(version: ssl.TLSVersion | None = None) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    if version is not None:
        context.maximum_version = version
    return context


def client_tls() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=CERTIFICATE)


def transport_of(connection: Any) -> Any:
    return connection.transport


async def echo(connection: Any) -> None:
    async for message in connection:
        await connection.send(message)


@contextlib.asynccontextmanager
async def secure(handler: Callable[[Any], Awaitable[None]], **options: Any) -> AsyncIterator[str]:
    options.setdefault("ssl", server_tls())
    async with itoden.serve(handler, "127.0.0.1", 0, **options) as server:
        yield f"wss://localhost:{port(server)}/"


class Peer:
    """An end of a connection that does TLS by hand."""

    def __init__(
        self,
        context: ssl.SSLContext,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        server: bool,
    ) -> None:
        self.reader, self.writer = reader, writer
        self.incoming, self.outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
        name = None if server else "localhost"
        self.tls = context.wrap_bio(self.incoming, self.outgoing, server_side=server, server_hostname=name)

    async def feed(self) -> None:
        """Waits for ciphertext."""
        data = await self.reader.read(65536)
        if not data:
            raise EOFError("the peer has ended the connection")
        self.incoming.write(data)

    async def handshake(self, *, keep_last: bool = False) -> None:
        """The handshake. With `keep_last`, what it ends with waits for `sealed()`."""
        while True:
            with contextlib.suppress(ssl.SSLWantReadError):
                self.tls.do_handshake()
                if not keep_last:
                    self.writer.write(self.outgoing.read())
                return
            self.writer.write(self.outgoing.read())
            await self.feed()

    def sealed(self, data: bytes) -> bytes:
        """The records with these data, and what else has to be sent."""
        view = memoryview(data)
        while view:
            view = view[self.tls.write(view) :]
        return self.outgoing.read()

    async def read(self) -> bytes:
        """Some plaintext; nothing if the peer has sent a close_notify."""
        while True:
            try:
                return self.tls.read(65536)
            except ssl.SSLWantReadError:
                await self.feed()

    async def read_until(self, end: bytes) -> bytes:
        data = b""
        while not data.endswith(end):
            data += await self.read()
        return data

    async def answer(self) -> None:
        """The opening handshake of a WebSocket server."""
        request = await self.read_until(b"\r\n\r\n")
        key = next(
            line for line in request.decode().split("\r\n") if line.lower().startswith("sec-websocket-key")
        )
        self.writer.write(
            self.sealed(
                b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
                b"Sec-WebSocket-Accept: " + accept_value(key.split(": ")[1]).encode() + b"\r\n\r\n"
            )
        )


@contextlib.asynccontextmanager
async def by_hand(
    play: Callable[[Peer], Awaitable[None]], version: ssl.TLSVersion | None = None
) -> AsyncIterator[str]:
    """A server that does TLS by hand."""
    done = asyncio.Event()

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            with contextlib.suppress(ConnectionError):
                await play(Peer(server_tls(version), reader, writer, server=True))
        finally:
            writer.close()
            done.set()

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server:
        yield f"wss://localhost:{server.sockets[0].getsockname()[1]}/"
        await done.wait()


async def dial(uri: str) -> Peer:
    """A client that does TLS by hand."""
    reader, writer = await asyncio.open_connection("127.0.0.1", int(uri.split(":")[2].rstrip("/")))
    return Peer(client_tls(), reader, writer, server=False)


# Messages.


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
@on_every_loop
async def test_messages_of_every_size_go_both_ways(version: ssl.TLSVersion) -> None:
    async with secure(echo, ssl=server_tls(version), max_size=None) as uri:
        async with itoden.connect(uri, ssl=client_tls(), max_size=None, compression=None) as connection:
            for size in (0, 1, 125, 126, 16_383, 16_384, 16_385, 65_536, 300_000, 3_000_000):
                message = bytes(range(256)) * (size // 256) + b"x" * (size % 256)
                await connection.send(message)
                assert await connection.recv() == message
            assert transport_of(connection).get_extra_info("ssl_object").version() == version.name.replace(
                "_", "."
            )


@on_every_loop
async def test_what_a_server_sends_comes_in_order_though_reading_pauses() -> None:
    async def many(connection: Any) -> None:
        for number in range(500):
            await connection.send(f"{number} " * 500)

    async with secure(many) as uri:
        async with itoden.connect(uri, ssl=client_tls(), max_queue=2) as connection:
            await until(lambda: not transport_of(connection).is_reading())
            numbers = []
            async for message in connection:
                numbers.append(int(message.split()[0]))
                if len(numbers) % 50 == 0:
                    await asyncio.sleep(0)
    assert numbers == list(range(500))


@on_every_loop
async def test_sending_waits_while_the_peer_does_not_read() -> None:
    read_now = asyncio.Event()
    received: list[int] = []

    async def late(connection: Any) -> None:
        await read_now.wait()
        async for message in connection:
            received.append(len(message))

    async with secure(late, max_queue=1, compression=None) as uri:
        async with itoden.connect(uri, ssl=client_tls(), compression=None, write_limit=32_768) as connection:
            sent = 0

            async def flood() -> None:
                nonlocal sent
                for _ in range(1000):
                    await connection.send(b"x" * 50_000)
                    sent += 1

            task = asyncio.create_task(flood())
            await until(lambda: transport_of(connection).get_write_buffer_size() > 32_768)
            for _ in range(20):
                await asyncio.sleep(0)
            assert sent < 1000
            assert transport_of(connection).get_write_buffer_size() < 500_000
            read_now.set()
            await task
    assert received == [50_000] * 1000


@on_every_loop
async def test_records_may_come_byte_by_byte() -> None:
    async def play(peer: Peer) -> None:
        await peer.handshake()
        await peer.answer()
        sock = peer.writer.get_extra_info("socket")
        if hasattr(sock, "setsockopt"):
            sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        for byte in peer.sealed(frame(0x1, b"hello", masked=False)):
            peer.writer.write(bytes([byte]))
            await asyncio.sleep(0)
        await peer.read()

    async with by_hand(play) as uri:
        async with itoden.connect(uri, ssl=client_tls(), close_timeout=1) as connection:
            assert await connection.recv() == "hello"


@on_every_loop
async def test_many_messages_in_one_record_and_several_records_at_once_are_all_told() -> None:
    async def play(peer: Peer) -> None:
        await peer.handshake()
        await peer.answer()
        frames = [frame(0x1, str(number).encode(), masked=False) for number in range(300)]
        peer.writer.write(b"".join(peer.sealed(b"".join(frames[at : at + 3])) for at in range(0, 300, 3)))
        await peer.read()

    async with by_hand(play) as uri:
        async with itoden.connect(uri, ssl=client_tls(), close_timeout=1) as connection:
            assert [await connection.recv() for _ in range(300)] == [str(number) for number in range(300)]


@on_every_loop
async def test_a_request_that_comes_with_the_last_flight_of_the_handshake_is_read() -> None:
    async with secure(echo) as uri:
        peer = await dial(uri)
        await peer.handshake(keep_last=True)
        hello = frame(0x1, b"hello", masked=True)
        peer.writer.write(peer.sealed(REQUEST.encode() + b"\r\n" + hello))
        expected = frame(0x1, b"hello", masked=False)
        assert (await peer.read_until(expected)).startswith(b"HTTP/1.1 101 ")
        peer.writer.close()


# What fails.


@on_every_loop
async def test_a_certificate_that_nobody_vouches_for_is_refused_and_the_server_goes_on() -> None:
    async with secure(echo) as uri:
        with pytest.raises(ssl.SSLCertVerificationError, match="certificate verify failed"):
            await itoden.connect(uri)
        with pytest.raises(ssl.SSLCertVerificationError, match="Hostname mismatch"):
            await itoden.connect(uri, ssl=client_tls(), server_hostname="other.example")
        async with itoden.connect(uri, ssl=client_tls()) as connection:
            await connection.send("still there")
            assert await connection.recv() == "still there"


@on_every_loop
async def test_the_server_is_told_why_its_certificate_was_refused() -> None:
    told: list[str | None] = []

    async def play(peer: Peer) -> None:
        try:
            await peer.handshake()
            await peer.read()
        except ssl.SSLError as error:
            told.append(error.reason)

    async with by_hand(play) as uri:
        with pytest.raises(ssl.SSLCertVerificationError):
            await itoden.connect(uri)
    assert len(told) == 1
    assert "ALERT_UNKNOWN_CA" in str(told[0])


@on_every_loop
async def test_a_server_that_says_nothing_has_as_long_as_the_timeout_of_the_handshake() -> None:
    async def silent(peer: Peer) -> None:
        await peer.reader.read()

    async with by_hand(silent) as uri:
        with pytest.raises(ConnectionAbortedError, match=r"longer than 0\.05 seconds"):
            await itoden.connect(uri, ssl=client_tls(), ssl_handshake_timeout=0.05)


@on_every_loop
async def test_giving_up_during_the_handshake_ends_the_connection() -> None:
    ended = asyncio.Event()

    async def silent(peer: Peer) -> None:
        with contextlib.suppress(ConnectionError):
            await peer.reader.read()
        ended.set()

    async with by_hand(silent) as uri:
        with pytest.raises(TimeoutError, match="timed out during opening handshake"):
            await itoden.connect(uri, ssl=client_tls(), open_timeout=0.05)
        await ended.wait()


@pytest.mark.parametrize("hello", [b"", b"HTTP/1.1 400 Bad Request\r\n\r\n"], ids=["nothing", "no TLS"])
@on_every_loop
async def test_a_server_without_tls_is_an_error(hello: bytes) -> None:
    async def play(peer: Peer) -> None:
        peer.writer.write(hello)

    async with by_hand(play) as uri:
        with pytest.raises((ConnectionResetError, ssl.SSLError)):
            await itoden.connect(uri, ssl=client_tls())


@on_every_loop
async def test_what_is_no_record_ends_the_connection_with_the_error_of_tls() -> None:
    async def play(peer: Peer) -> None:
        await peer.handshake()
        await peer.answer()
        peer.writer.write(b"\x17\x03\x03\x00\x20" + b"?" * 32)
        with contextlib.suppress(EOFError):
            while True:
                await peer.feed()

    async with by_hand(play) as uri:
        async with itoden.connect(uri, ssl=client_tls()) as connection:
            with pytest.raises(itoden.ConnectionClosedError) as raised:
                await connection.recv()
            assert raised.value.rcvd is None
            assert isinstance(raised.value.__cause__, ssl.SSLError)


@pytest.mark.parametrize(
    "rest", [b"", b"\x17\x03\x03\x00\x20half"], ids=["between records", "within a record"]
)
@on_every_loop
async def test_an_end_without_a_close_notify_is_the_end_of_the_connection(rest: bytes) -> None:
    async def play(peer: Peer) -> None:
        await peer.handshake()
        await peer.answer()
        peer.writer.write(peer.sealed(frame(0x1, b"last", masked=False)) + rest)

    async with by_hand(play) as uri:
        async with itoden.connect(uri, ssl=client_tls()) as connection:
            assert await connection.recv() == "last"
            with pytest.raises(itoden.ConnectionClosedError):
                await connection.recv()
            assert connection.close_code == itoden.CloseCode.ABNORMAL_CLOSURE


# Ending.


@on_every_loop
async def test_a_close_notify_comes_behind_the_close_frame() -> None:
    frames: list[bytes] = []

    async def play(peer: Peer) -> None:
        await peer.handshake()
        await peer.answer()
        frames.append(await peer.read())
        peer.writer.write(peer.sealed(frame(0x8, b"\x03\xe8", masked=False)))
        # The server ends the connection (RFC 6455 §7.1.1).
        with pytest.raises(ssl.SSLWantReadError):
            peer.tls.unwrap()
        peer.writer.write(peer.outgoing.read())
        with pytest.raises(ssl.SSLZeroReturnError):
            await peer.read()
        frames.append(b"close_notify")

    async with by_hand(play) as uri:
        async with itoden.connect(uri, ssl=client_tls()) as connection:
            await connection.close()
    assert frames[0][:2] == b"\x88\x82"
    assert frames[1] == b"close_notify"


@on_every_loop
async def test_what_comes_in_front_of_the_answer_to_a_close_notify_is_dropped() -> None:
    frames: list[bytes] = []

    async def play(peer: Peer) -> None:
        await peer.handshake()
        await peer.answer()
        frames.append(await peer.read())
        peer.writer.write(peer.sealed(frame(0x2, b"x" * 40_000, masked=False)))
        await peer.writer.drain()
        peer.tls.unwrap()
        peer.writer.write(peer.outgoing.read())
        frames.append(await peer.reader.read())

    async with by_hand(play) as uri:
        connection = await itoden.connect(uri, ssl=client_tls())
        transport_of(connection).close()
        await connection.wait_closed()
        with pytest.raises(itoden.ConnectionClosedError):
            await connection.recv()
    assert frames == [b"", b""]


@on_every_loop
async def test_a_peer_that_never_answers_a_close_notify_is_left_after_the_timeout() -> None:
    async def play(peer: Peer) -> None:
        await peer.handshake()
        await peer.answer()
        await peer.read()
        await peer.reader.read()

    async with by_hand(play) as uri:
        connection = await itoden.connect(
            uri, ssl=client_tls(), ssl_shutdown_timeout=0.05, close_timeout=None
        )
        transport_of(connection).close()
        await connection.wait_closed()
        assert transport_of(connection).is_closing()
        transport_of(connection).write(b"dropped")


@on_every_loop
async def test_aborting_ends_it_at_once() -> None:
    async with secure(nothing) as uri:
        connection = await itoden.connect(uri, ssl=client_tls())
        transport_of(connection).abort()
        await connection.wait_closed()
        assert connection.close_code == itoden.CloseCode.ABNORMAL_CLOSURE


# What is known of a connection, and where it leads.


@on_every_loop
async def test_tls_is_that_of_the_package_on_asyncios_loops_and_uvloop() -> None:
    async with secure(echo) as uri:
        async with itoden.connect(uri, ssl=client_tls()) as connection:
            assert isinstance(transport_of(connection), TLSTransport)


@on_every_loop
async def test_tls_is_that_of_the_loop_on_all_others() -> None:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(securing, "_is_known", lambda loop: False)
        async with secure(echo) as uri:
            async with itoden.connect(uri, ssl=client_tls()) as connection:
                assert not isinstance(transport_of(connection), TLSTransport)
                for message in ("text", b"binary", bytes(100_000)):
                    await connection.send(message)
                    assert await connection.recv() == message
            assert connection.close_code == itoden.CloseCode.NORMAL_CLOSURE


@on_every_loop
async def test_a_transport_tells_of_tls_and_of_the_socket() -> None:
    async with secure(echo) as uri:
        context = client_tls()
        context.set_alpn_protocols(["http/1.1"])
        async with itoden.connect(uri, ssl=context) as connection:
            transport = transport_of(connection)
            info = transport.get_extra_info
            assert info("sslcontext") is context
            assert ("DNS", "localhost") in info("peercert")["subjectAltName"]
            assert info("cipher") == info("ssl_object").cipher()
            assert info("compression") is None
            assert info("peername")[1] == int(uri.split(":")[2].rstrip("/"))
            assert info("socket") is not None
            assert info("no such thing", "default") == "default"
            assert transport.get_protocol() is connection
            assert not transport.can_write_eof()
            with pytest.raises(NotImplementedError, match="one side"):
                transport.write_eof()
            with pytest.raises(TypeError, match="bytes-like"):
                transport.write("text")
            low, high = transport.get_write_buffer_limits()
            assert low < high


@on_every_loop
async def test_alpn_is_agreed_on() -> None:
    server, client = server_tls(), client_tls()
    server.set_alpn_protocols(["http/1.1"])
    client.set_alpn_protocols(["h2", "http/1.1"])
    async with secure(echo, ssl=server) as uri:
        async with itoden.connect(uri, ssl=client) as connection:
            tls = transport_of(connection).get_extra_info("ssl_object")
            assert tls.selected_alpn_protocol() == "http/1.1"


@pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)
@on_every_loop
async def test_a_client_shows_its_certificate_where_one_is_required(version: ssl.TLSVersion) -> None:
    names: list[object] = []

    async def note(connection: Any) -> None:
        names.append(transport_of(connection).get_extra_info("peercert")["subjectAltName"][0])

    server, client = server_tls(version), client_tls()
    server.verify_mode = ssl.CERT_REQUIRED
    server.load_verify_locations(CERTIFICATE)
    async with secure(note, ssl=server) as uri:
        # TLS 1.3: the client is through before the server refuses.
        with pytest.raises((ssl.SSLError, itoden.InvalidHandshake, ConnectionError)):
            await itoden.connect(uri, ssl=client)
        client.load_cert_chain(CERTIFICATE)
        async with itoden.connect(uri, ssl=client) as connection:
            await connection.wait_closed()
    assert names == [("DNS", "localhost")]


@pytest.mark.parametrize("name", ["ssl_handshake_timeout", "ssl_shutdown_timeout"])
@on_every_loop
async def test_timeouts_that_asyncio_refuses_are_refused(name: str) -> None:
    options: list[dict[str, Any]] = [{name: -1}, {name: 0}]
    async with secure(nothing) as uri:
        for wrong in options:
            with pytest.raises(ValueError, match=f"{name} should be a positive number"):
                await itoden.connect(uri, ssl=client_tls(), **wrong)


@on_every_loop
async def test_websockets_and_itoden_understand_each_other() -> None:
    import websockets

    for server, client in ((websockets, itoden), (itoden, websockets)):
        async with serving(server, echo, ssl=server_tls()) as uri:
            uri = uri.replace("ws://127.0.0.1", "wss://localhost")
            async with client.connect(uri, ssl=client_tls(), max_size=None) as connection:
                for message in ("hello", b"x" * 200_000):
                    await connection.send(message)
                    assert await connection.recv() == message
