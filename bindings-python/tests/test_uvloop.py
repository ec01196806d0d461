"""The ways to a server on uvloop, whose transports are of classes of its own."""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import Callable, Coroutine
from pathlib import Path
from typing import Any

import pytest

import itoden
from parity import nothing, serving
from proxies import start_proxy
from test_fragments import each
from test_proxies import forwarding

uvloop = pytest.importorskip("uvloop", reason="uvloop is not for this system", exc_type=ImportError)

CERTIFICATE = Path(__file__).with_name("localhost.pem")


def run(scenario: Callable[[], Coroutine[Any, Any, None]]) -> None:
    async def limited() -> None:
        async with asyncio.timeout(30):
            await scenario()

    uvloop.run(limited())


def tls() -> tuple[ssl.SSLContext, ssl.SSLContext]:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(CERTIFICATE)
    return server, ssl.create_default_context(cafile=CERTIFICATE)


async def echo(connection: Any) -> None:
    async for message in connection:
        await connection.send(message)


async def talk(connection: itoden.ClientConnection) -> None:
    for message in ("hello", b"x" * 200_000, ""):
        await connection.send(message)
        assert await connection.recv() == message
    stream = connection.recv_streaming()
    await connection.send(each("a", "b"))
    assert "".join([str(fragment) async for fragment in stream]) == "ab"
    assert await (await connection.ping()) >= 0


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
@pytest.mark.parametrize("through", [None, "http", "https", "socks5"])
def test_messages_go_both_ways(secure: bool, through: str | None) -> None:
    server_context, client_context = tls()

    async def scenario() -> None:
        proxy = await start_proxy("http+socks5://127.0.0.1:0", lambda _: None)
        address = proxy.sockets[0].getsockname()
        options: dict[str, Any] = {"ssl": client_context} if secure else {}
        async with (
            forwarding(f"{address[0]}:{address[1]}", server_context) as tls_port,
            serving(itoden, echo, **({"ssl": server_context} if secure else {})) as uri,
        ):
            uri = uri.replace("ws://127.0.0.1", "wss://localhost") if secure else uri
            if through == "https":
                options |= {"proxy": f"https://localhost:{tls_port}", "proxy_ssl": client_context}
            else:
                options["proxy"] = through and f"{through}://{address[0]}:{address[1]}"
            async with itoden.connect(uri, **options) as connection:
                await talk(connection)
        proxy.close()
        await proxy.wait_closed()

    run(scenario)


def test_a_unix_socket(tmp_path: Path) -> None:
    async def scenario() -> None:
        async with itoden.unix_serve(echo, tmp_path / "socket"):
            async with itoden.unix_connect(tmp_path / "socket") as connection:
                await talk(connection)

    run(scenario)


def test_silence_ends_a_connection() -> None:
    async def scenario() -> None:
        async def mute(connection: Any) -> None:
            connection.transport.pause_reading()
            await released.wait()
            connection.transport.abort()

        released = asyncio.Event()
        async with serving(itoden, mute, ping_interval=None) as uri:
            options = {"ping_interval": 0.02, "ping_timeout": 0.02, "close_timeout": 0.02}
            connection = await itoden.connect(uri, **options)  # type: ignore[arg-type]
            with pytest.raises(itoden.ConnectionClosedError, match="keepalive ping timeout"):
                await connection.recv()
            released.set()

    run(scenario)


def test_an_end_of_the_server_closes_its_connections() -> None:
    async def scenario() -> None:
        server = await itoden.serve(nothing, "127.0.0.1", 0)
        connection = await itoden.connect("ws://{}:{}/".format(*server.sockets[0].getsockname()))
        server.close()
        await server.wait_closed()
        await connection.wait_closed()
        assert connection.close_code == 1001

    run(scenario)
