"""Programs that tests start as a user would, without what the tests' own environment sets."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path


def run(*command: object, folder: Path, **environment: str) -> str:
    """What a program says, which must not fail."""
    clean = {name: value for name, value in os.environ.items() if name not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(  # noqa: S603 - the programs are named here
        [str(word) for word in command],
        cwd=folder,
        env=clean | environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout
