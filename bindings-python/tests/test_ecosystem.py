"""Services written for `websockets` do with itoden what they do with that, when one import is changed."""

from __future__ import annotations

import asyncio
import contextlib
import re
import shutil
import socket
import subprocess
import sys
import tarfile
import venv
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest

import itoden
from asgi import Place, as_uvicorn, run
from harness import asynchronous
from programs import run as program
from renaming import rename_all, rename_module
from test_uvicorn import SCENARIOS

TESTS = Path(__file__).parent
REQUIREMENTS = TESTS / "ecosystem" / "requirements.txt"
KEPT = TESTS.parents[1] / "target" / f"python-ecosystem-{sys.version_info.major}.{sys.version_info.minor}"


class Ecosystem:
    """An environment without `websockets`, whose packages need it: they are changed to use itoden."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.python = folder / "bin" / "python"

    def command(self, *arguments: object, cwd: Path | None = None) -> str:
        """What a program of the environment says, which must not fail."""
        return program(self.python, *arguments, folder=cwd or self.folder)

    def make(self) -> None:
        """Installs everything, unless just this is there."""
        package = Path(itoden.__file__).parent
        wanted = REQUIREMENTS.read_text() + str(package)
        done = self.folder / "done"
        if done.exists() and done.read_text() == wanted:
            return
        shutil.rmtree(self.folder, ignore_errors=True)
        venv.create(self.folder, with_pip=True)
        pip = ("-m", "pip", "--quiet", "--disable-pip-version-check")
        self.command(*pip, "install", "-r", REQUIREMENTS)
        self.command(*pip, "uninstall", "--yes", "websockets")
        (packages,) = (self.folder / "lib").glob("python*/site-packages")
        (packages / "itoden").symlink_to(package)
        for name in ("sanic", "gql", "pysignalr"):
            assert rename_all(packages / name), f"{name} does not import websockets"
        # Tests are in the source distributions alone.
        for name in ("gql", "pysignalr"):
            version = re.search(rf"^{name}==(.+)$", REQUIREMENTS.read_text(), re.MULTILINE)
            assert version
            source = f"{name}=={version[1]}"
            self.command(*pip, "download", "--no-deps", "--no-binary", name, source, "-d", self.folder)
            (archive,) = self.folder.glob(f"{name}-*.tar.gz")
            with tarfile.open(archive) as tar:
                tar.extractall(self.folder / "sources", filter="data")
            rename_all(self.tests_of(name).parent)
        done.write_text(wanted)

    def tests_of(self, name: str) -> Path:
        """The folder with a package's tests."""
        (tests,) = (self.folder / "sources").glob(f"{name}-*/tests")
        return tests


@pytest.fixture(scope="module")
def ecosystem() -> Ecosystem:
    made = Ecosystem(KEPT)
    made.make()
    made.command(
        "-c", "import importlib.util, sys; sys.exit(importlib.util.find_spec('websockets') is not None)"
    )
    return made


def passed(output: str) -> int:
    """How many tests passed, none of which failed."""
    found = re.search(r"(\d+) passed", output)
    assert found, output
    assert "failed" not in output, output
    return int(found[1])


def test_the_tests_of_gql_pass(ecosystem: Ecosystem) -> None:
    tests = ecosystem.tests_of("gql")
    files = [
        path for name in ("websocket", "graphqlws", "phoenix") for path in tests.glob(f"test_{name}*.py")
    ]
    assert len(files) >= 8
    # Those with a timeout are about gql's own clock.
    options = ("-q", "--tb=short", "-p", "no:cacheprovider", "-k", "not timeout and not keepalive")
    output = ecosystem.command("-m", "pytest", *options, *files, cwd=tests.parent)
    assert passed(output) >= 100


def test_the_tests_of_pysignalr_pass(ecosystem: Ecosystem) -> None:
    tests = ecosystem.tests_of("pysignalr")
    # That file needs a container.
    ignored = tests / "test_pysignalr" / "test_pysignalr.py"
    options = ("-q", "--tb=short", "-p", "no:cacheprovider", "--ignore", ignored)
    output = ecosystem.command("-m", "pytest", *options, tests, cwd=tests.parent)
    assert passed(output) >= 100


@contextlib.asynccontextmanager
async def sanic(ecosystem: Ecosystem) -> AsyncIterator[str]:
    """The address of a service that runs as long as the block."""
    listening = socket.create_server(("127.0.0.1", 0))
    process = await asyncio.create_subprocess_exec(
        str(ecosystem.python),
        str(TESTS / "ecosystem" / "sanic_app.py"),
        str(listening.fileno()),
        pass_fds=[listening.fileno()],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    port = listening.getsockname()[1]
    listening.close()
    try:
        yield f"ws://127.0.0.1:{port}"
    finally:
        process.terminate()
        said, _ = await process.communicate()
    assert b"Exception" not in said, said.decode()


def test_sanic_serves_websockets_by_the_protocol_without_io(ecosystem: Ecosystem) -> None:
    @asynchronous
    async def play() -> None:
        async with sanic(ecosystem) as address:
            chat: Any = {"subprotocols": ["chat"], "proxy": None}
            async with itoden.connect(f"{address}/feed", **chat) as connection:
                assert connection.subprotocol == "chat"
                for message in ("text", b"binary", "", b"", "é" * 50_000, b"\0" * 500_000, "ping"):
                    await connection.send(message)
                    assert await connection.recv() == message
                await connection.send(["frag", "ments"])
                assert await connection.recv() == "fragments"
                assert await (await connection.ping()) >= 0
                await connection.send("close")
                with pytest.raises(itoden.ConnectionClosedError) as raised:
                    await connection.recv()
                assert raised.value.rcvd == itoden.Close(4001, "bye")
            async with itoden.connect(f"{address}/feed", **chat) as connection:
                assert connection.transport is not None
                connection.transport.write(bytes.fromhex("c18180808080ff"))
                with pytest.raises(itoden.ConnectionClosedError) as raised:
                    await connection.recv()
                assert raised.value.rcvd is not None
                assert raised.value.rcvd.code == 1002
            async with itoden.connect(f"{address}/plain", proxy=None) as connection:
                await connection.send(b"bytes")
                assert await connection.recv() == "b'bytes'"
                await connection.close(4000, "done")
                assert (connection.close_code, connection.close_reason) == (4000, "done")

    play()


@pytest.mark.parametrize("http", ["h11", "httptools"])
@pytest.mark.parametrize("play", SCENARIOS, ids=lambda play: play.__name__)
def test_uvicorns_own_protocol_without_io_does_the_same_with_itoden(play: Any, http: str) -> None:
    rename_module("uvicorn.protocols.websockets.websockets_sansio_impl", "renamed_sansio")
    observed = run(play, Place("renamed_sansio:WebSocketsSansIOProtocol", http), "asyncio")
    expected = as_uvicorn(play)
    assert observed in expected, f"itoden: {observed!r}; uvicorn: {expected!r}"
