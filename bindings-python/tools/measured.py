"""What the programs of `npm run bench:python` and `npm run soak:python` share."""

from __future__ import annotations

import asyncio
import contextlib
import ctypes
import gc
import importlib
import resource
import ssl
import sys
from collections.abc import Coroutine
from pathlib import Path
from typing import Any

# What a message costs by itself is compared: no compression, no keepalive.
PLAIN: dict[str, Any] = {"compression": None, "ping_interval": None}


def cpu() -> float:
    """Microseconds of CPU that this process has used."""
    usage = resource.getrusage(resource.RUSAGE_SELF)
    return (usage.ru_utime + usage.ru_stime) * 1e6


def held() -> int:
    """Bytes that this process holds, of which nobody else has a part, once the garbage is collected."""
    gc.collect()
    with contextlib.suppress(OSError, AttributeError):
        ctypes.CDLL(None).malloc_trim(0)
    for line in Path("/proc/self/smaps_rollup").read_text().splitlines():
        if line.startswith("Private_Dirty"):
            return int(line.split()[1]) * 1024
    raise RuntimeError("this system does not tell what memory a process holds")


def run(loop: str, main: Coroutine[Any, Any, None]) -> None:
    """Runs `main` on asyncio's own loop, or on that of uvloop."""
    runner = importlib.import_module("uvloop").run if loop == "uvloop" else asyncio.run
    runner(main)


async def next_line() -> str:
    """What the benchmark asks for next; empty at the end."""
    return await asyncio.get_running_loop().run_in_executor(None, sys.stdin.readline)


def client_tls(certificate: str) -> ssl.SSLContext:
    """Trusts the benchmark's own certificate."""
    return ssl.create_default_context(cafile=certificate)


def server_tls(certificate: str) -> ssl.SSLContext:
    """A server's, with the certificate and the key in one file."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context
