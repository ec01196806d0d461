"""One scenario in threads with `websockets` and with itoden: what is observed must be the same."""

from __future__ import annotations

import contextlib
import threading
import warnings
from collections.abc import Callable, Iterator
from types import SimpleNamespace
from typing import Any

import websockets
import websockets.sync.client
import websockets.sync.router
import websockets.sync.server

import itoden
import itoden.sync.client
import itoden.sync.router
import itoden.sync.server


def _library(package: Any) -> Any:
    names: dict[str, Any] = {
        **vars(package.sync.server),
        **vars(package.sync.router),
        **vars(package.sync.client),
    }
    return SimpleNamespace(**(names | {"top": package, "name": package.__name__}))


LIBRARIES: dict[str, Any] = {"websockets": _library(websockets), "itoden": _library(itoden)}


def same(scenario: Callable[[Any], Any]) -> Any:
    """Runs a scenario with each library, for at most 30 seconds, and returns what both made of it."""
    observed = {name: limited(scenario, library) for name, library in LIBRARIES.items()}
    ours, theirs = observed["itoden"], observed["websockets"]
    assert ours == theirs, f"itoden: {ours!r}, websockets: {theirs!r}"
    return ours


def limited(function: Callable[..., Any], *args: Any) -> Any:
    """Runs a function in a thread of its own, for at most 30 seconds."""
    outcome: list[Any] = []
    failure: list[BaseException] = []

    def run() -> None:
        try:
            outcome.append(function(*args))
        except BaseException as error:
            failure.append(error)

    thread = threading.Thread(target=run, daemon=True)
    thread.start()
    thread.join(30)
    assert not thread.is_alive(), "it takes more than 30 seconds"
    if failure:
        raise failure[0]
    return outcome[0]


def threaded(test: Callable[..., None]) -> Callable[..., None]:
    """A test that takes at most 30 seconds."""
    import functools

    @functools.wraps(test)
    def run(*args: Any, **kwargs: Any) -> None:
        limited(lambda: test(*args, **kwargs))

    return run


@contextlib.contextmanager
def running(server: Any) -> Iterator[Any]:
    """A server that accepts connections in a thread."""
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        thread.join()


@contextlib.contextmanager
def serving(library: Any, handler: Callable[[Any], None], **options: Any) -> Iterator[str]:
    """A server on the loopback: its URI, with a slash at the end."""
    with running(library.serve(handler, "127.0.0.1", 0, **options)) as server:
        yield f"ws://127.0.0.1:{port(server)}/"


@contextlib.contextmanager
def both_ends(
    library: Any, client: dict[str, Any] | None = None, server: dict[str, Any] | None = None
) -> Iterator[tuple[Any, Any]]:
    """An open connection: the client's end and the server's."""
    opened: list[Any] = []
    there = threading.Event()

    def handler(connection: Any) -> None:
        opened.append(connection)
        there.set()
        connection.wait_closed()

    with serving(library, handler, **(server or {})) as uri:
        with library.connect(uri, **(client or {})) as connection:
            assert there.wait(10)
            yield connection, opened[0]


def port(server: Any) -> int:
    """The port that a server listens on."""
    return int(server.socket.getsockname()[1])


def nothing(connection: Any) -> None:
    """A handler that waits for the end."""
    connection.wait_closed()


def echo(connection: Any) -> None:
    """A handler that sends back what comes."""
    for message in connection:
        connection.send(message)


def shown(error: BaseException) -> tuple[str, str]:
    """The class and the message of an exception."""
    return type(error).__name__, str(error)


def raised(function: Callable[..., Any], *args: Any, **kwargs: Any) -> tuple[str, str]:
    """The class and the message of the exception that a call raises."""
    with warnings.catch_warnings():
        try:
            function(*args, **kwargs)
        except Exception as error:
            return shown(error)
    raise AssertionError("nothing was raised")


def until(condition: Callable[[], bool]) -> None:
    """Waits until a condition holds."""
    pause = threading.Event()
    while not condition():
        pause.wait(0.001)
