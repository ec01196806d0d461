"""The change of one import that leads from `websockets` to itoden, made to other people's source."""

from __future__ import annotations

import importlib
import inspect
import re
import sys
import types
from pathlib import Path

_MODULE = re.compile(r"^(\s*)import websockets\.([\w.]+)", re.MULTILINE)
_PACKAGE = re.compile(r"^(\s*)import websockets\b(?!\.)", re.MULTILINE)
_FROM = re.compile(r"^(\s*)from websockets\b", re.MULTILINE)
_NAMED = re.compile(r"\bwebsockets\.(asyncio|sync)\.")


def renamed(source: str) -> str:
    """The source with itoden where it imports `websockets`."""
    source = _MODULE.sub(r"\1import itoden.\2", source)
    source = _PACKAGE.sub(r"\1import itoden as websockets", source)
    source = _FROM.sub(r"\1from itoden", source)
    return _NAMED.sub(r"itoden.\1.", source)


def rename_all(folder: Path) -> list[Path]:
    """Changes the files of a folder; gives those that it changed."""
    changed = []
    for path in folder.rglob("*.py"):
        before = path.read_text(encoding="utf-8")
        after = renamed(before)
        if after != before:
            path.write_text(after, encoding="utf-8")
            changed.append(path)
    return changed


def rename_module(name: str, to: str) -> types.ModuleType:
    """A second copy of a module, which is called `to` and uses itoden."""
    source = renamed(inspect.getsource(importlib.import_module(name)))
    module = sys.modules[to] = types.ModuleType(to)
    module.__file__ = f"<{name}, renamed>"
    exec(compile(source, module.__file__, "exec"), module.__dict__)  # noqa: S102 - it is uvicorn's own
    return module
