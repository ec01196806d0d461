"""Proxies in the process of the tests, by pproxy."""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import Any

import pproxy
import pproxy.proto

_passing_on: set[asyncio.Task[Any] | None] = set()
_pass_on = pproxy.proto.BaseProtocol.channel


async def _kept(*args: Any) -> None:
    """pproxy keeps the tasks that pass bytes on nowhere, so that the garbage collector may take them away."""
    task = asyncio.current_task()
    _passing_on.add(task)
    try:
        await _pass_on(*args)
    finally:
        _passing_on.discard(task)


pproxy.proto.BaseProtocol.channel = _kept


async def start_proxy(uri: str, log: Callable[[str], object]) -> asyncio.Server:
    """Starts a proxy of the kinds that the URI names; `log` is told what it is asked for."""
    options = {"rserver": [pproxy.Connection("direct")], "verbose": log}
    server: asyncio.Server = await pproxy.Server(uri).start_server(options)
    return server
