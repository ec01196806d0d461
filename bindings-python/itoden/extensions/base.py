"""Extensions, under the names of `websockets.extensions.base`: permessage-deflate is the one there is."""

from __future__ import annotations

from .permessage_deflate import ClientPerMessageDeflateFactory, ServerPerMessageDeflateFactory

__all__ = ["ClientExtensionFactory", "ServerExtensionFactory"]

ClientExtensionFactory = ClientPerMessageDeflateFactory
"""What `extensions` of a client can hold."""

ServerExtensionFactory = ServerPerMessageDeflateFactory
"""What `extensions` of a server can hold."""
