"""What lies under a connection: TLS, forks, threads, and what is left when it has ended."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import itertools
import os
import socket
import ssl
import threading
import weakref
from pathlib import Path

import pytest
import websockets.asyncio.client
import websockets.asyncio.server

import itoden
from asgi import LOOPS
from harness import BINARY, KEY, ROLES, TEXT, asynchronous, both_ends, port_of, raw_peer, until
from itoden._native import Connection

if "uvloop" in LOOPS:
    import uvloop

CERTIFICATE = Path(__file__).parent / "localhost.pem"


def server_context() -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


def client_context() -> ssl.SSLContext:
    return ssl.create_default_context(cafile=str(CERTIFICATE))


async def echo(connection: itoden.ServerConnection) -> None:
    async for message in connection:
        await connection.send(message)


@asynchronous
async def test_wss_carries_messages_and_both_close_frames() -> None:
    async with itoden.serve(echo, "127.0.0.1", 0, ssl=server_context()) as server:
        async with itoden.connect(f"wss://localhost:{port_of(server)}/", ssl=client_context()) as client:
            for message in ("hello", "x" * 1_000_000, b"\x00" * 300_000):
                await client.send(message)
                assert await client.recv() == message
        assert client.close_code == 1000
        with pytest.raises(itoden.ConnectionClosedOK):
            await client.recv()


@asynchronous
async def test_wss_with_websockets_in_both_roles() -> None:
    async def echo_theirs(connection: websockets.asyncio.server.ServerConnection) -> None:
        async for message in connection:
            await connection.send(message)

    async with websockets.asyncio.server.serve(echo_theirs, "127.0.0.1", 0, ssl=server_context()) as theirs:
        port = next(iter(theirs.sockets)).getsockname()[1]
        async with itoden.connect(f"wss://localhost:{port}/", ssl=client_context()) as ours:
            await ours.send("hello")
            assert await ours.recv() == "hello"
    async with itoden.serve(echo, "127.0.0.1", 0, ssl=server_context()) as server:
        uri = f"wss://localhost:{port_of(server)}/"
        async with websockets.asyncio.client.connect(uri, ssl=client_context()) as client:
            await client.send("hello")
            assert await client.recv() == "hello"


@asynchronous
async def test_addresses_may_be_asked_for_after_the_end_of_tls() -> None:
    async with itoden.serve(echo, "127.0.0.1", 0, ssl=server_context()) as server:
        client = await itoden.connect(f"wss://localhost:{port_of(server)}/", ssl=client_context())
        remote = client.remote_address
        await client.close()
        assert client.remote_address in (remote, None)
        assert client.local_address is None or client.local_address[0] == "127.0.0.1"


@asynchronous
async def test_wss_checks_the_certificate() -> None:
    async with itoden.serve(echo, "127.0.0.1", 0, ssl=server_context()) as server:
        with pytest.raises(ssl.SSLCertVerificationError):
            await itoden.connect(f"wss://localhost:{port_of(server)}/")


@asynchronous
async def test_wss_is_held_back_while_max_queue_messages_wait() -> None:
    async def flood(connection: itoden.ServerConnection) -> None:
        for _ in range(300):
            await connection.send(b"x" * 60_000)

    async with itoden.serve(flood, "127.0.0.1", 0, ssl=server_context()) as server:
        uri = f"wss://localhost:{port_of(server)}/"
        async with itoden.connect(uri, ssl=client_context(), max_queue=4) as client:
            await until(lambda: client._queued == 5)
            received = 0
            async for message in client:
                assert len(message) == 60_000
                assert client._queued <= 5
                received += 1
            assert received == 300


def masking_keys(count: int) -> bytes:
    connection = Connection("client")
    for _ in range(count):
        connection.send_binary(b"")
    sent = connection.data_to_send()
    return b"".join(sent[start + 2 : start + 6] for start in range(0, len(sent), 6))


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system has no fork")
def test_a_forked_child_does_not_send_the_masking_keys_of_its_parent() -> None:
    masking_keys(1)  # 255 keys are drawn and wait
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        try:
            os.write(writing, masking_keys(100))
        finally:
            os._exit(0)
    os.close(writing)
    with os.fdopen(reading, "rb") as pipe:
        theirs = pipe.read()
    os.waitpid(child, 0)
    ours = masking_keys(100)
    assert len(theirs) == len(ours) == 400
    assert theirs != ours


@asynchronous
async def test_every_frame_of_a_client_has_a_masking_key_of_its_own() -> None:
    assert len({masking_keys(1000)[start : start + 4] for start in range(0, 4000, 4)}) > 990
    async with raw_peer("client") as (connection, peer):
        await connection.send(b"\x00" * 4)
        head = await peer.reader.readexactly(10)
        assert head[:2] == bytes([0x80 | BINARY, 0x84])
        assert head[2:6] == head[6:10] != KEY


def test_loops_in_several_threads_have_read_buffers_of_their_own() -> None:
    failures: list[BaseException] = []

    @asynchronous
    async def talk() -> None:
        async with both_ends() as (client, server):
            for number in range(200):
                await client.send(f"{threading.get_ident()} {number} " * 50)
                assert await server.recv() == f"{threading.get_ident()} {number} " * 50

    def run() -> None:
        try:
            talk()
        except BaseException as error:
            failures.append(error)

    threads = [threading.Thread(target=run) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failures == []


@asynchronous
async def test_state_can_be_read_from_another_thread() -> None:
    async with both_ends() as (client, _):
        states = await asyncio.to_thread(lambda: [client.state for _ in range(100)])
        assert set(states) == {itoden.State.OPEN}


@pytest.mark.parametrize("role", ROLES)
@asynchronous
async def test_a_connection_that_has_ended_is_collected(role: str) -> None:
    async with raw_peer(role) as (connection, peer):
        await connection.send("x")
        await connection.ping()
        peer.end()
        await connection.wait_closed()
        reference = weakref.ref(connection)
        del connection
    del peer
    await until(lambda: gc.collect() >= 0 and reference() is None)


def test_a_connection_that_was_dropped_open_is_collected() -> None:
    references: list[weakref.ref[itoden.Connection]] = []

    @asynchronous
    async def run() -> None:
        async with both_ends() as (client, server):
            references.extend([weakref.ref(client), weakref.ref(server)])

    run()
    gc.collect()
    assert [reference() for reference in references] == [None, None]


@pytest.mark.parametrize("loop", LOOPS)
def test_a_descriptor_that_is_another_files_now_is_not_written_to(loop: str) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(30), raw_peer("client") as (connection, _):
            await connection.send("first")
            assert connection.transport is not None
            connection.transport.abort()
            pairs = [
                socket.socketpair() for _ in range(20)
            ]  # one of them is likely to be given the descriptor
            with contextlib.suppress(itoden.ConnectionClosed):
                connection._post("not for them", None)
            for one in itertools.chain.from_iterable(pairs):
                one.setblocking(False)
                with pytest.raises(BlockingIOError):
                    one.recv(1)
            for one in itertools.chain.from_iterable(pairs):
                one.close()

    uvloop.run(scenario()) if loop == "uvloop" else asyncio.run(scenario())


@pytest.mark.parametrize("loop", LOOPS)
def test_what_a_socket_does_not_take_keeps_its_place(loop: str) -> None:
    async def scenario() -> None:
        async with asyncio.timeout(30), raw_peer("client", write_limit=1 << 30) as (connection, peer):
            messages = [bytes([number]) * 300_000 for number in range(30)] + [b"small"]
            for message in messages:
                await connection.send(message)
            assert connection.transport is not None
            assert connection.transport.get_write_buffer_size() > 0
            for message in messages:
                assert await peer.receive() == (BINARY, message)
            await connection.send("and directly again")
            assert await peer.receive() == (TEXT, b"and directly again")

    uvloop.run(scenario()) if loop == "uvloop" else asyncio.run(scenario())
