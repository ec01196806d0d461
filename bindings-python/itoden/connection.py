"""The old name of `itoden.protocol`, as `websockets.connection` is that of `websockets.protocol`."""

from __future__ import annotations

import warnings

from .protocol import *  # noqa: F403
from .protocol import __all__ as __all__

warnings.warn("itoden.connection was renamed to itoden.protocol", DeprecationWarning, stacklevel=2)
