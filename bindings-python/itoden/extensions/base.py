"""Extensions, under the names of `websockets.extensions.base`: permessage-deflate is the one there is."""

from __future__ import annotations

from .permessage_deflate import (
    ClientPerMessageDeflateFactory,
    PerMessageDeflate,
    ServerPerMessageDeflateFactory,
)

__all__ = ["ClientExtensionFactory", "Extension", "ServerExtensionFactory"]

Extension = PerMessageDeflate
"""What `protocol.extensions` of a connection holds."""

ClientExtensionFactory = ClientPerMessageDeflateFactory
"""What `extensions` of a client can hold."""

ServerExtensionFactory = ServerPerMessageDeflateFactory
"""What `extensions` of a server can hold."""
