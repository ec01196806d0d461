"""Redirects: followed where it is safe, without credentials elsewhere."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import ssl
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import itoden
import itoden.limits
from harness import asynchronous
from parity import nothing, same, serving

CERTIFICATE = Path(__file__).with_name("localhost.pem")
ORIGIN_ONE, ORIGIN_TWO = "127.0.0.1", "localhost"


@contextlib.asynccontextmanager
async def redirecting(
    library: Any, status: int = 302, **options: Any
) -> AsyncIterator[tuple[str, list[Any]]]:
    """A server that redirects `/to/X` to `X`, and what it was asked: path, Authorization, Cookie."""
    asked: list[Any] = []

    def process(connection: Any, request: Any) -> Any:
        headers = request.headers
        asked.append(
            (request.path, headers.get("Authorization"), headers.get("Cookie"), headers.get("X-Kept"))
        )
        if not request.path.startswith("/to/"):
            return None
        response = connection.respond(status, "elsewhere")
        response.headers["Location"] = request.path.removeprefix("/to/").replace("PORT", port)
        return response

    async with serving(library, nothing, process_request=process, **options) as uri:
        port = uri.split(":")[2].rstrip("/")
        yield uri, asked


def outcome(library: Any, uri: str, **options: Any) -> Any:
    async def ask() -> Any:
        try:
            async with library.connect(uri, **options) as connection:
                return connection.request.path
        except Exception as error:
            return type(error).__name__, str(error).split("ws")[0]

    return ask()


@pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location", ["/there", "../there", "//127.0.0.1:PORT/there", "ws://127.0.0.1:PORT/there?a=b"]
)
def test_a_redirect_is_followed(status: int, location: str) -> None:
    async def scenario(library: Any) -> object:
        async with redirecting(library, status) as (uri, asked):
            return await outcome(library, f"{uri}to/{location}"), len(asked)

    path, count = same(scenario)
    assert path.startswith("/t")
    assert count == 2


@pytest.mark.parametrize("status", [304, 305, 400])
def test_other_statuses_are_no_redirect(status: int) -> None:
    async def scenario(library: Any) -> object:
        async with redirecting(library, status) as (uri, asked):
            return await outcome(library, f"{uri}to//there"), len(asked)

    assert same(scenario) == (("InvalidStatus", f"server rejected WebSocket connection: HTTP {status}"), 1)


@pytest.mark.parametrize("host", [ORIGIN_ONE, ORIGIN_TWO])
def test_credentials_go_to_the_same_origin_only(host: str) -> None:
    headers = {"Authorization": "Bearer x", "Cookie": "a=b", "X-Kept": "yes"}

    async def scenario(library: Any) -> object:
        async with redirecting(library) as (uri, asked):
            location = f"ws://{host}:PORT/there"
            await outcome(library, f"{uri}to/{location}", additional_headers=headers)
            return [request[1:] for request in asked]

    everything = ("Bearer x", "a=b", "yes")
    assert same(scenario) == [everything, everything if host == ORIGIN_ONE else (None, None, "yes")]


@pytest.mark.parametrize("location", ["ws://localhost:PORT/there", "/there"])
@asynchronous
async def test_credentials_of_the_uri_are_left_behind_too(location: str) -> None:
    async with redirecting(itoden) as (uri, asked):
        with_user = uri.replace("ws://", "ws://user:secret@")
        await outcome(itoden, f"{with_user}to/{location}")
    assert asked[0][1] is not None
    # A relative Location is resolved against the URI, user and password included, as in browsers.
    assert (asked[1][1] is None) == location.startswith("ws:")


@asynchronous
async def test_the_number_of_redirects_is_limited(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(itoden.limits, "MAX_REDIRECTS", 3)

    def around(connection: Any, request: Any) -> Any:
        asked.append(request.path)
        response = connection.respond(302, "again")
        response.headers["Location"] = "/"
        return response

    asked: list[str] = []
    async with serving(itoden, nothing, process_request=around) as uri:
        with pytest.raises(itoden.SecurityError, match="more than 3 redirects"):
            await itoden.connect(uri)
    assert len(asked) == 4


def test_a_redirect_from_tls_to_none_is_refused() -> None:
    server = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.load_cert_chain(CERTIFICATE)
    client = ssl.create_default_context(cafile=CERTIFICATE)

    async def scenario(library: Any) -> object:
        async with redirecting(library, ssl=server) as (uri, _):
            secure = uri.replace("ws://127.0.0.1", "wss://localhost")
            return await outcome(library, f"{secure}to/ws://localhost:PORT/", ssl=client)

    assert same(scenario) == ("SecurityError", "cannot follow redirect to non-secure URI ")


@pytest.mark.parametrize("what", ["sock", "host", "port"])
def test_arguments_that_name_a_place_do_not_allow_to_go_elsewhere(what: str) -> None:
    async def scenario(library: Any) -> object:
        async with redirecting(library) as (uri, _):
            port = int(uri.split(":")[2].rstrip("/"))
            if what == "sock":
                options: dict[str, Any] = {"sock": socket.create_connection(("127.0.0.1", port))}
            else:
                options = {"host": "127.0.0.1"} if what == "host" else {"port": port}
            return await outcome(library, f"{uri}to/ws://localhost:PORT/there", **options)

    assert same(scenario) == (
        "ValueError",
        "cannot follow " + ("" if what == "sock" else "cross-origin ") + "redirect to ",
    )


@asynchronous
async def test_a_redirect_to_another_origin_over_a_unix_socket_is_refused(tmp_path: Path) -> None:
    def away(connection: Any, request: Any) -> Any:
        if request.path == "/there":
            return None
        response = connection.respond(302, "again")
        response.headers["Location"] = "/there" if request.path == "/near" else "ws://example.com/"
        return response

    path = tmp_path / "socket"
    async with itoden.unix_serve(nothing, path, process_request=away):
        async with itoden.unix_connect(path, "ws://localhost/near") as connection:
            assert connection.request is not None
            assert connection.request.path == "/there"
        with pytest.raises(ValueError, match="Unix socket"):
            await itoden.unix_connect(path)


@asynchronous
async def test_http_in_a_redirect_means_ws() -> None:
    async with redirecting(itoden) as (uri, _):
        assert await outcome(itoden, f"{uri}to/http://127.0.0.1:PORT/there") == "/there"


@asynchronous
async def test_a_redirect_to_what_is_no_websocket_uri_raises() -> None:
    async with redirecting(itoden) as (uri, _):
        with pytest.raises(itoden.InvalidURI) as raised:
            await itoden.connect(f"{uri}to/ftp://localhost/")
    assert isinstance(raised.value.__cause__, itoden.InvalidStatus)


@asynchronous
async def test_the_time_is_one_for_all_redirects() -> None:
    asked = 0

    async def around(connection: Any, request: Any) -> Any:
        nonlocal asked
        asked += 1
        await asyncio.sleep(0.05)
        response = connection.respond(302, "again")
        response.headers["Location"] = "/"
        return response

    async with serving(itoden, nothing, process_request=around) as uri:
        with pytest.raises(TimeoutError, match="timed out during opening handshake"):
            await itoden.connect(uri, open_timeout=0.12)
    assert asked < 5
