"""Handlers that werkzeug's routes choose."""

from __future__ import annotations

import contextlib
import importlib
import ssl
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
from werkzeug.routing import Map, Rule

import itoden
from harness import asynchronous
from parity import port, same
from test_server_options import ask

CERTIFICATE = Path(__file__).with_name("localhost.pem")


async def tell(connection: Any, **arguments: Any) -> None:
    await connection.send(repr(arguments))


def url_map() -> Map:
    return Map(
        [
            Rule("/", endpoint=tell),
            Rule("/room/<int:number>", endpoint=tell),
            Rule("/name/<name>", endpoint=tell),
            Rule("/folder/", endpoint=tell),
            Rule("/old", redirect_to="/room/7"),
            Rule("/fixed", endpoint=tell, defaults={"kind": "fixed"}),
        ]
    )


@contextlib.asynccontextmanager
async def routing(library: Any, **options: Any) -> AsyncIterator[str]:
    async with library.route(url_map(), "127.0.0.1", 0, **options) as server:
        yield f"ws://127.0.0.1:{port(server)}/"


PATHS = [
    "",
    "room/5",
    "room/x",
    "name/gr%C3%BC%C3%9Fe",
    "name/a%2Fb",
    "folder/",
    "folder",
    "old",
    "fixed",
    "none",
    "?a=b",
]


@pytest.mark.parametrize("path", PATHS)
def test_the_path_chooses_the_handler_and_its_arguments(path: str) -> None:
    async def scenario(library: Any) -> object:
        async with routing(library) as uri:
            try:
                async with library.connect(uri + path) as connection:
                    return connection.request.path, await connection.recv()
            except library.InvalidStatus as error:
                return error.response.status_code, bytes(error.response.body)

    observed = same(scenario)
    if path in ("room/x", "none"):
        assert observed == (404, b"Not Found")


@pytest.mark.parametrize("path", ["folder", "old"])
@pytest.mark.parametrize("options", [{}, {"server_name": "example.com"}, {"ssl": True}], ids=str)
def test_redirects_name_the_server_as_clients_see_it(path: str, options: dict[str, Any]) -> None:
    async def scenario(library: Any) -> object:
        async with routing(library, **options) as uri:
            request = (
                f"GET /{path} HTTP/1.1\r\nHost: public.example\r\n"
                "Upgrade: websocket\r\nConnection: Upgrade\r\n"
                "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\n\r\n"
            )
            first, fields, body = await ask(uri, request)
            return first.split(" ", 1)[1], fields["location"], body

    _, location, _ = same(scenario)
    assert location.startswith("wss://" if "ssl" in options else "ws://")
    assert ("example.com" if "server_name" in options else "public.example") in location


def test_tls_is_for_routes_too() -> None:
    server, client = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER), ssl.create_default_context(cafile=CERTIFICATE)
    server.load_cert_chain(CERTIFICATE)

    async def scenario(library: Any) -> object:
        async with routing(library, ssl=server) as uri:
            uri = uri.replace("ws://127.0.0.1", "wss://localhost") + "folder"
            async with library.connect(uri, ssl=client) as connection:
                return connection.request.path, await connection.recv()

    assert same(scenario) == ("/folder/", "{}")


@pytest.mark.parametrize("asynchronously", [False, True])
def test_process_request_comes_before_the_route(asynchronously: bool) -> None:
    def process(connection: Any, request: Any) -> Any:
        return connection.respond(403, "no") if request.path == "/room/13" else None

    async def process_later(connection: Any, request: Any) -> Any:
        return process(connection, request)

    async def scenario(library: Any) -> object:
        async with routing(library, process_request=process_later if asynchronously else process) as uri:
            async with library.connect(f"{uri}room/12") as connection:
                message = await connection.recv()
            with pytest.raises(library.InvalidStatus) as raised:
                await library.connect(f"{uri}room/13")
            return message, raised.value.response.status_code

    assert same(scenario) == ("{'number': 12}", 403)


def test_routes_over_a_unix_socket(tmp_path: Path) -> None:
    async def scenario(library: Any) -> object:
        path = tmp_path / library.__name__
        async with library.unix_route(url_map(), path):
            async with library.unix_connect(path, "ws://localhost/room/1") as connection:
                return await connection.recv()

    assert same(scenario) == "{'number': 1}"


def test_create_router_makes_a_router_of_another_class() -> None:
    async def scenario(library: Any) -> object:
        class Mine(library.Router):  # type: ignore[misc]
            def not_found(self, connection: Any) -> Any:
                return connection.respond(410, f"gone from {self.url_scheme}://{self.server_name}")

        async with routing(library, create_router=Mine, server_name="a.example") as uri:
            with pytest.raises(library.InvalidStatus) as raised:
                await library.connect(f"{uri}none")
            return raised.value.response.status_code, bytes(raised.value.response.body)

    assert same(scenario) == (410, b"gone from ws://a.example")


def test_without_werkzeug_it_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "werkzeug.routing", None)
    with pytest.raises(ImportError, match="pip install werkzeug"):
        itoden.route(None, "localhost", 0)  # type: ignore[arg-type]


def test_the_package_does_not_need_werkzeug_to_be_imported(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "werkzeug", None)
    importlib.reload(importlib.import_module("itoden.asyncio.router"))


@asynchronous
async def test_a_request_of_plain_http_is_told_there_is_nothing_else() -> None:
    async with routing(itoden) as uri:
        first, _, _ = await ask(uri, "GET /none HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert first == "HTTP/1.1 404 Not Found"
