"""What a user installs, each in an empty environment: wheel, source distribution, the wheel for all CPythons.

They are built with less optimisation than those that are published, since a build takes a quarter of the time
then."""

from __future__ import annotations

import os
import sys
import venv
import zipfile
from pathlib import Path

import pytest

from programs import run

ROOT = Path(__file__).parents[2]
QUICKLY = {
    "CARGO_PROFILE_RELEASE_LTO": "off",
    "CARGO_PROFILE_RELEASE_CODEGEN_UNITS": "16",
    "CARGO_PROFILE_RELEASE_OPT_LEVEL": "1",
    "CARGO_TARGET_DIR": str(Path(os.environ.get("CARGO_TARGET_DIR", ROOT / "target")) / "consumer"),
}
ECHO = """
import asyncio
import threading

import itoden
import itoden.sync.client
import itoden.sync.server


async def echo(websocket: itoden.ServerConnection) -> None:
    async for message in websocket:
        await websocket.send(message)


async def main() -> None:
    async with itoden.serve(echo, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        async with itoden.connect(f"ws://127.0.0.1:{port}/", proxy=None) as client:
            for message in ("Hello", b"\\x00\\xff", "compressed " * 1000):
                await client.send(message)
                assert await client.recv() == message


def echo_in_a_thread(websocket: itoden.sync.server.ServerConnection) -> None:
    for message in websocket:
        websocket.send(message)


asyncio.run(main(), debug=True)
with itoden.sync.server.serve(echo_in_a_thread, "127.0.0.1", 0) as server:
    threading.Thread(target=server.serve_forever, daemon=True).start()
    port = server.socket.getsockname()[1]
    with itoden.sync.client.connect(f"ws://127.0.0.1:{port}/", proxy=None) as client:
        client.send("Hello")
        assert client.recv(timeout=10) == "Hello"
    server.shutdown()
print("echoed")
"""


def build(folder: Path, *arguments: str) -> Path:
    """What maturin makes of the tree."""
    maturin = Path(sys.executable).parent / "maturin"
    run(maturin, *arguments, "--out", folder, folder=ROOT, **QUICKLY)
    (made,) = folder.iterdir()
    return made


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("consumer")


def check_installed(distribution: Path, folder: Path) -> Path:
    """Installs a distribution and nothing else, and uses it. Returns the environment's Python."""
    venv.create(folder / "environment", with_pip=True)
    python = folder / "environment" / ("Scripts" if sys.platform == "win32" else "bin") / "python"
    pip = ("-m", "pip", "install", "--quiet", "--disable-pip-version-check")
    run(python, *pip, distribution, folder=folder, **QUICKLY)
    (folder / "echo.py").write_text(ECHO)
    # Every warning is an error here, as it is in the other tests.
    assert run(python, "-W", "error", "echo.py", folder=folder) == "echoed\n"
    version = run(python, "-m", "itoden", "--version", folder=folder)
    assert version == run(python.with_name("itoden"), "--version", folder=folder)
    assert (
        run(python, "-c", "import itoden; print('itoden', itoden.__version__)", folder=folder).strip()
        in version
    )
    where = run(python, "-c", "import itoden; print(itoden.__file__)", folder=folder)
    assert str(folder.resolve()) in where, "it is not the tree's own package that was imported"
    return python


def test_the_wheel_works_in_an_empty_environment_and_is_typed(folder: Path) -> None:
    here = folder / "wheel"
    here.mkdir()
    wheel = build(here / "dist", "build", "--release", "--interpreter", sys.executable)
    tag = f"cp{sys.version_info.major}{sys.version_info.minor}"
    assert f"-{tag}-{tag}{sys.abiflags}-" in wheel.name
    names = zipfile.ZipFile(wheel).namelist()
    assert {"itoden/py.typed", "itoden/_native.pyi", "itoden/uvicorn.py"} <= set(names)
    assert not [name for name in names if "test" in name or "tools" in name]
    python = check_installed(wheel, here)
    mypy = (sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--python-executable", python)
    assert "Success" in run(*mypy, "echo.py", folder=here, MYPYPATH="")
    (here / "wrong.py").write_text("import itoden\n\nitoden.connect(8765)\n")
    with pytest.raises(AssertionError, match="arg-type"):
        run(*mypy, "wrong.py", folder=here, MYPYPATH="")


def test_the_source_distribution_has_all_that_it_is_built_from(folder: Path) -> None:
    here = folder / "sdist"
    here.mkdir()
    sdist = build(here / "dist", "sdist")
    assert sdist.name.endswith(".tar.gz")
    check_installed(sdist, here)


def test_the_wheel_for_every_python_works(folder: Path) -> None:
    here = folder / "abi3"
    here.mkdir()
    wheel = build(here / "dist", "build", "--release", "--features", "abi3,extension-module")
    assert "-cp311-abi3-" in wheel.name
    check_installed(wheel, here)
