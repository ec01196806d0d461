"""Ways to a server through real proxies: HTTP, HTTPS and SOCKS."""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pproxy.server
import pytest
import websockets.proxy
import websockets.uri

import itoden
import itoden.limits
from harness import asynchronous
from itoden.proxy import get_proxy, parse_proxy
from itoden.uri import parse_uri
from parity import LIBRARIES, nothing, same, serving
from proxies import start_proxy

CERTIFICATE = Path(__file__).with_name("localhost.pem")


@pytest.fixture(autouse=True)
def no_proxy_in_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    for scheme in ("http", "https", "ws", "wss", "socks", "all", "no"):
        for name in (f"{scheme}_proxy", f"{scheme}_PROXY".upper()):
            monkeypatch.delenv(name, raising=False)


def tls(*, server: bool) -> ssl.SSLContext:
    if not server:
        return ssl.create_default_context(cafile=CERTIFICATE)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    return context


@contextlib.asynccontextmanager
async def proxying(credentials: str = "") -> AsyncIterator[tuple[str, list[str]]]:
    """A proxy for HTTP, SOCKS 4 and 5 on one port: host and port, and what it was asked for."""
    log: list[str] = []
    pproxy.server.AuthTable._auth.clear()  # it remembers who gave the password
    server = await start_proxy(
        f"http+socks4+socks5://127.0.0.1:0{credentials and '#' + credentials}", log.append
    )
    try:
        yield f"127.0.0.1:{server.sockets[0].getsockname()[1]}", log
    finally:
        server.close()


async def pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with contextlib.suppress(ConnectionError):
        while data := await reader.read(65536):
            writer.write(data)
    writer.close()


@contextlib.asynccontextmanager
async def forwarding(address: str, context: ssl.SSLContext | None = None) -> AsyncIterator[int]:
    """A server that ends TLS in front of another: its port."""

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        host, port = address.split(":")
        back_reader, back_writer = await asyncio.open_connection(host, int(port))
        await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))

    async with await asyncio.start_server(connected, "127.0.0.1", 0, ssl=context) as server:
        yield server.sockets[0].getsockname()[1]


async def talk(library: Any, uri: str, **options: Any) -> Any:
    """What comes of a connection: the answer, or the exception."""
    try:
        async with library.connect(uri, **options) as connection:
            await connection.send("hello")
            return await connection.recv()
    except Exception as error:
        return type(error).__name__


async def echo(connection: Any) -> None:
    async for message in connection:
        await connection.send(message)


@pytest.mark.parametrize("scheme", ["http", "socks5", "socks5h", "socks4"])
@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
def test_a_server_is_reached_through_a_proxy(scheme: str, secure: bool) -> None:
    async def scenario(library: Any) -> object:
        async with proxying() as (address, log):
            async with serving(library, echo, **({"ssl": tls(server=True)} if secure else {})) as uri:
                host = "127.0.0.1" if scheme == "socks4" else "localhost"
                uri = uri.replace("ws://127.0.0.1", f"wss://{host}" if secure else f"ws://{host}")
                options: dict[str, Any] = {"ssl": tls(server=False)} if secure else {}
                if secure and scheme == "socks4":
                    options["server_hostname"] = "localhost"
                answer = await talk(library, uri, proxy=f"{scheme}://{address}", **options)
                asked = [line.split()[0] for line in log]
                by_name = [f"-> {host}:" in line for line in log]
                return answer, asked, by_name if scheme != "socks5" else None

    answer, asked, _ = same(scenario)
    assert (answer, asked) == ("hello", [scheme.rstrip("h") if scheme != "http" else "http"])


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@pytest.mark.parametrize("credentials", ["user:p%40ss@", "user:wrong@", ""])
def test_credentials_of_a_proxy_are_given_and_a_refusal_is_told(scheme: str, credentials: str) -> None:
    async def scenario(library: Any) -> object:
        async with proxying("user:p@ss") as (address, log):
            async with serving(library, echo) as uri:
                answer = await talk(library, uri, proxy=f"{scheme}://{credentials}{address}")
                return answer, bool(log and "->" in log[0])

    answer, _ = same(scenario)
    assert (answer == "hello") == ("%40" in credentials)


@asynchronous
async def test_a_refusal_of_an_http_proxy_has_its_response() -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(b"HTTP/1.1 407 Proxy Authentication Required\r\nProxy-Authenticate: Basic\r\n\r\n")
        writer.close()

    asked: list[bytes] = []
    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        address = f"http://me:secret@127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(itoden.InvalidProxyStatus, match="HTTP 407") as raised:
            await itoden.connect("ws://example.com/", proxy=address, user_agent_header="test/1")
    assert raised.value.response.headers["Proxy-Authenticate"] == "Basic"
    assert isinstance(raised.value, itoden.ProxyError)
    assert asked[0].split(b"\r\n")[:4] == [
        b"CONNECT example.com:80 HTTP/1.1",
        b"Host: example.com:80",
        b"User-Agent: test/1",
        b"Proxy-Authorization: Basic bWU6c2VjcmV0",
    ]


ANSWERS = {
    "garbage": b"\x16\x03\x01\r\n\r\n",
    "nothing": b"",
    "a part": b"HTTP/1.1 200",
    "a head without an end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 20_000,
    "bytes of a server that was asked nothing": b"HTTP/1.1 200 OK\r\n\r\nHTTP/1.1 101 ",
}


@pytest.mark.parametrize("what", ANSWERS)
@asynchronous
async def test_what_is_no_answer_of_a_proxy_raises(what: str) -> None:
    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(ANSWERS[what])
        writer.close()

    async with await asyncio.start_server(answer, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        with pytest.raises(itoden.InvalidProxyMessage, match="valid HTTP response from proxy") as raised:
            await itoden.connect("ws://example.com/", proxy=address)
    assert raised.value.__cause__ is not None


@pytest.mark.parametrize("secure", [False, True], ids=["ws", "wss"])
def test_an_https_proxy_has_tls_of_its_own(secure: bool) -> None:
    async def scenario(library: Any) -> object:
        async with proxying() as (address, _), forwarding(address, tls(server=True)) as port:
            async with serving(library, echo, **({"ssl": tls(server=True)} if secure else {})) as uri:
                uri = uri.replace("ws://127.0.0.1", "wss://localhost" if secure else "ws://localhost")
                options: dict[str, Any] = {"ssl": tls(server=False)} if secure else {}
                return await talk(
                    library,
                    uri,
                    proxy=f"https://127.0.0.1:{port}",
                    proxy_ssl=tls(server=False),
                    proxy_server_hostname="localhost",
                    **options,
                )

    if secure and sys.version_info < (3, 12):
        # There asyncio has no TLS within TLS over every transport, and so websockets has none.
        assert asyncio.run(scenario(itoden)) == "hello"
    else:
        assert same(scenario) == "hello"


@pytest.mark.parametrize(
    ("proxy", "options"),
    [
        ("https://127.0.0.1:1", {"proxy_ssl": None}),
        ("http://127.0.0.1:1", {"proxy_ssl": True}),
    ],
)
def test_tls_of_a_proxy_has_to_fit_its_scheme(proxy: str, options: dict[str, Any]) -> None:
    async def scenario(library: Any) -> object:
        return await talk(library, "ws://localhost/", proxy=proxy, **options)

    assert same(scenario) == "ValueError"


@pytest.mark.parametrize("scheme", ["http", "socks5"])
@asynchronous
async def test_a_proxy_that_is_not_there_raises_oserror(scheme: str) -> None:
    async with serving(itoden, nothing) as uri:
        gone = uri.removeprefix("ws://").rstrip("/")
    with pytest.raises(OSError, match=r"[Cc]onnect"):
        await itoden.connect("ws://localhost/", proxy=f"{scheme}://{gone}")


@asynchronous
async def test_socks4a_has_the_proxy_look_the_name_up() -> None:
    asked: list[bytes] = []

    async def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readexactly(8)
        user, host = await reader.readuntil(b"\0"), await reader.readuntil(b"\0")
        asked.append(request[4:] + b"|" + user + b"|" + host)
        back_reader, back_writer = await asyncio.open_connection("127.0.0.1", int.from_bytes(request[2:4]))
        writer.write(b"\0\x5a" + bytes(6))
        await asyncio.gather(pump(reader, back_writer), pump(back_reader, writer))

    async with await asyncio.start_server(connected, "127.0.0.1", 0) as server, serving(itoden, echo) as uri:
        address = f"socks4a://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        uri = uri.replace("127.0.0.1", "server.example")
        assert await talk(itoden, uri, proxy=address) == "hello"
    assert asked == [b"\0\0\0\x01|\0|server.example\0"]


@asynchronous
async def test_a_socks_proxy_that_refuses_raises_proxyerror() -> None:
    async with serving(itoden, nothing) as uri:
        pass  # nobody is there any more
    async with proxying("user:secret") as (address, _):
        with pytest.raises(
            itoden.ProxyError, match="failed to connect to SOCKS proxy socks5://127"
        ) as raised:
            await itoden.connect(uri, proxy=f"socks5://user:wrong@{address}")
    assert raised.value.__cause__ is not None
    assert "wrong" not in str(raised.value)


def test_socks_without_python_socks_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "python_socks", None)

    @asynchronous
    async def run() -> None:
        with pytest.raises(ImportError, match="pip install python-socks"):
            await itoden.connect("ws://localhost/", proxy="socks5://localhost")

    run()


@pytest.mark.parametrize("name", ["ws_proxy", "socks_proxy", "https_proxy", "http_proxy"])
def test_the_environment_names_a_proxy(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    async def scenario(library: Any) -> object:
        async with proxying() as (address, log), serving(library, echo) as uri:
            # Names of the loopback are not reached through a proxy everywhere.
            with monkeypatch.context() as patch:
                patch.setenv(name, f"http://{address}")
                through = await talk(library, uri), [line.split()[0] for line in log]
                patch.setenv("no_proxy", "127.0.0.1")
                past = await talk(library, uri), len(log)
                return through, past, await talk(library, uri, proxy=None), len(log)

    kind = "socks5" if name == "socks_proxy" else "http"
    assert same(scenario) == (("hello", [kind]), ("hello", 1), "hello", 1)


@pytest.mark.parametrize("library", LIBRARIES)
def test_the_order_of_proxies_in_the_environment(library: str, monkeypatch: pytest.MonkeyPatch) -> None:
    find, parse = get_proxy, parse_uri
    if library == "websockets":
        find, parse = websockets.proxy.get_proxy, websockets.uri.parse_uri  # type: ignore[assignment]
    plain, secure = parse("ws://example.com/"), parse("wss://example.com/")
    assert (find(plain), find(secure)) == (None, None)
    monkeypatch.setenv("http_proxy", "http://a")
    assert (find(plain), find(secure)) == ("http://a", None)
    monkeypatch.setenv("https_proxy", "http://b")
    assert (find(plain), find(secure)) == ("http://b", "http://b")
    monkeypatch.setenv("socks_proxy", "http://c:1080")
    assert (find(plain), find(secure)) == ("socks5h://c:1080", "socks5h://c:1080")
    monkeypatch.setenv("ws_proxy", "http://d")
    monkeypatch.setenv("wss_proxy", "http://e")
    assert (find(plain), find(secure)) == ("http://d", "http://e")
    monkeypatch.setenv("no_proxy", "example.com")
    assert (find(plain), find(secure)) == (None, None)


VALID = [
    "http://proxy:8080",
    "https://proxy",
    "http://proxy",
    "http://user:pass@PROXY:8080/",
    "socks5h://us%40er:p%3Aass@proxy:1080",
    "socks4://proxy:1080",
    "http://grüße.example:1",
    "http://[::1]:8080",
]


@pytest.mark.parametrize("address", VALID)
def test_the_address_of_a_proxy_is_taken_apart_as_in_websockets(address: str) -> None:
    theirs, ours = websockets.proxy.parse_proxy(address), parse_proxy(address)
    for attribute in ("scheme", "host", "port", "username", "password"):
        assert getattr(ours, attribute) == getattr(theirs, attribute)


@pytest.mark.parametrize(
    "address",
    [
        "ftp://proxy",
        "proxy:8080",
        "http://",
        "http://proxy/path",
        "http://proxy?query",
        "http://proxy#fragment",
        "http://user@proxy",
        "http://proxy:port",
    ],
)
def test_what_is_no_address_of_a_proxy_raises(address: str) -> None:
    with pytest.raises(itoden.InvalidProxy, match="isn't a valid proxy") as raised:
        itoden.connect("ws://localhost/", proxy=address)
    assert (raised.value.proxy, raised.value.msg) == (raised.value.args[0], raised.value.args[1])


def test_a_socks_proxy_without_a_port_is_at_1080() -> None:
    assert parse_proxy("socks5://proxy").port == 1080


def test_the_password_of_a_proxy_is_in_no_message() -> None:
    with pytest.raises(itoden.InvalidProxy) as raised:
        parse_proxy("http://user:secret@proxy/path")
    assert "secret" not in str(raised.value)


def test_a_socket_or_a_unix_socket_needs_no_proxy(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")

    async def scenario(library: Any) -> object:
        path = tmp_path / library.__name__
        async with library.unix_serve(echo, path):
            async with library.unix_connect(path) as connection:
                await connection.send("hello")
                return await connection.recv()

    assert same(scenario) == "hello"
