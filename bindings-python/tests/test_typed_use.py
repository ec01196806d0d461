"""Programs with types need no change but the import: whoever checks types finds nothing in them."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from parity import LIBRARIES
from programs import run

PROGRAM = Path(__file__).with_name("typed_use.py").read_text()


@pytest.mark.parametrize("library", LIBRARIES)
def test_mypy_finds_nothing(library: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM.replace("itoden", library))
    mypy = (sys.executable, "-m", "mypy", "--strict", "--config-file", "", "--cache-dir", tmp_path / "cache")
    assert "Success" in run(*mypy, "program.py", folder=tmp_path, MYPYPATH="")


@pytest.mark.parametrize("library", LIBRARIES)
def test_pyright_finds_nothing(library: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(PROGRAM.replace("itoden", library))
    pyright = (sys.executable, "-m", "pyright", "--pythonpath", sys.executable)
    assert "0 errors" in run(*pyright, "program.py", folder=tmp_path)
