"""The version of this package, as `websockets.version` tells its own."""

from __future__ import annotations

from ._native import __version__

__all__ = ["commit", "tag", "version"]

tag = version = commit = __version__
