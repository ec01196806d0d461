"""Ways through real proxies in threads, mirrored: HTTP, HTTPS and SOCKS, given and from the environment."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import ssl
import threading
import warnings
from collections.abc import Iterator
from contextlib import AbstractAsyncContextManager
from typing import Any

import pytest

import test_proxies
from sync_parity import LIBRARIES, echo, port, raised, running, same
from test_proxies import no_proxy_in_the_environment, tls

__all__ = ["no_proxy_in_the_environment"]


@contextlib.contextmanager
def on_a_loop(manager: AbstractAsyncContextManager[Any]) -> Iterator[Any]:
    """What an asynchronous context manager gives, on an event loop in a thread."""
    loop = asyncio.new_event_loop()
    thread = threading.Thread(target=loop.run_forever)
    thread.start()

    def run(awaitable: Any) -> Any:
        return asyncio.run_coroutine_threadsafe(awaitable, loop).result(10)

    try:
        yield run(manager.__aenter__())
        run(manager.__aexit__(None, None, None))
    finally:

        async def rest() -> None:
            tasks = asyncio.all_tasks() - {asyncio.current_task()}
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
            for _ in range(10):  # transports end a few turns after their tasks
                await asyncio.sleep(0)

        run(rest())
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        with warnings.catch_warnings():
            # The proxy leaves the transports of cancelled tasks to the collector.
            warnings.simplefilter("ignore", ResourceWarning)
            loop.close()
            gc.collect()


def talk(library: Any, secure: bool, **options: Any) -> Any:
    """A server is reached, and echoes."""
    context = {"ssl": tls(server=True)} if secure else {}
    with running(library.serve(echo, "localhost", 0, **context)) as server:
        if secure:
            options["ssl"] = tls(server=False)
        uri = f"{'wss' if secure else 'ws'}://localhost:{port(server)}/"
        with library.connect(uri, **options) as connection:
            back = []
            for message in ("hi", "x" * 300_000):
                connection.send(message)
                back.append(connection.recv() == message)
        return back, connection.close_code


@pytest.mark.parametrize("secure", [False, True])
@pytest.mark.parametrize("scheme", ["http", "socks5h", "socks5", "socks4"])
def test_a_server_is_reached_through_a_proxy(scheme: str, secure: bool) -> None:
    with on_a_loop(test_proxies.proxying()) as (address, log):

        def scenario(library: Any) -> Any:
            before = len(log)
            seen = talk(library, secure, proxy=f"{scheme}://{address}")
            return seen, len(log) > before

        assert same(scenario) == (([True, True], 1000), True)


@pytest.mark.parametrize("scheme", ["http", "socks5h"])
@pytest.mark.parametrize("credentials", ["anna:secret@", "anna:wrong@", ""])
def test_credentials_of_a_proxy_are_given_and_a_refusal_is_told(scheme: str, credentials: str) -> None:
    def scenario(library: Any) -> Any:
        # It remembers who gave the password, so that each library has one of its own.
        with on_a_loop(test_proxies.proxying("anna:secret")) as (address, _):
            try:
                return talk(library, False, proxy=f"{scheme}://{credentials}{address}")
            except library.top.InvalidProxyStatus as error:
                return "status", error.response.status_code
            except library.top.ProxyError:
                return "refused"

    same(scenario)


@pytest.mark.parametrize("secure", [False, True])
def test_an_https_proxy_has_tls_of_its_own(secure: bool) -> None:
    with on_a_loop(test_proxies.proxying()) as (address, _):
        with on_a_loop(test_proxies.forwarding(address, tls(server=True))) as number:

            def scenario(library: Any) -> Any:
                return talk(library, secure, proxy=f"https://localhost:{number}", proxy_ssl=tls(server=False))

            assert same(scenario) == ([True, True], 1000)


def test_the_environment_names_a_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    with on_a_loop(test_proxies.proxying()) as (address, log):
        monkeypatch.setenv("http_proxy", f"http://{address}")

        def scenario(library: Any) -> Any:
            before = len(log)
            seen = talk(library, False), len(log) - before > 0
            return seen, talk(library, False, proxy=None)

        assert same(scenario) == ((([True, True], 1000), True), ([True, True], 1000))


@pytest.mark.parametrize("answer", [b"", b"nonsense\r\n\r\n", b"HTTP/1.1 200 OK\r\n\r\nearly"])
def test_what_is_no_answer_of_a_proxy_raises(answer: bytes) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def once() -> None:
            sock, _ = listener.accept()
            sock.recv(4096)
            sock.sendall(answer)
            sock.close()

        thread = threading.Thread(target=once)
        thread.start()
        address = f"http://127.0.0.1:{listener.getsockname()[1]}"
        kind, message = raised(LIBRARIES["itoden"].connect, "ws://localhost:1/", proxy=address)
        thread.join()
    assert (kind, message) == ("InvalidProxyMessage", "did not receive a valid HTTP response from proxy")


def test_a_proxy_that_does_not_answer_is_given_up() -> None:
    def scenario(library: Any) -> Any:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            address = f"http://127.0.0.1:{listener.getsockname()[1]}"
            return raised(library.connect, "ws://localhost:1/", proxy=address, open_timeout=0.2)

    assert same(scenario) == ("TimeoutError", "timed out while connecting to HTTP proxy")


def test_tls_of_a_proxy_has_to_fit_its_scheme() -> None:
    def scenario(library: Any) -> Any:
        options = {"proxy": "http://localhost:1", "proxy_ssl": ssl.create_default_context()}
        return raised(library.connect, "ws://localhost:1/", **options)[0]

    assert same(scenario) == "ValueError"
