"""One scenario with `websockets` and with itoden: what is observed must be the same."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import websockets
import websockets.exceptions

import itoden

LIBRARIES: dict[str, Any] = {"websockets": websockets, "itoden": itoden}


def same(scenario: Callable[[Any], Awaitable[Any]]) -> Any:
    """Runs a scenario with each library, for at most 30 seconds, and returns what both made of it."""

    async def limited(library: Any) -> Any:
        async with asyncio.timeout(30):
            return await scenario(library)

    observed = {name: asyncio.run(limited(library)) for name, library in LIBRARIES.items()}
    ours, theirs = observed["itoden"], observed["websockets"]
    assert ours == theirs, f"itoden: {ours!r}, websockets: {theirs!r}"
    return ours


@contextlib.asynccontextmanager
async def serving(
    library: Any, handler: Callable[[Any], Awaitable[None]], **options: Any
) -> AsyncIterator[str]:
    """A server on the loopback: its URI, with a slash at the end."""
    async with library.serve(handler, "127.0.0.1", 0, **options) as server:
        yield f"ws://127.0.0.1:{port(server)}/"


def port(server: Any) -> int:
    """The port that a server listens on."""
    return int(next(iter(server.sockets)).getsockname()[1])


async def nothing(connection: Any) -> None:
    """A handler that waits for the end."""
    await connection.wait_closed()


def shown(error: BaseException) -> tuple[str, str]:
    """The class and the message of an exception."""
    return type(error).__name__, str(error)
