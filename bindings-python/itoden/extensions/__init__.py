from .base import ClientExtensionFactory, ServerExtensionFactory

__all__ = ["ClientExtensionFactory", "ServerExtensionFactory"]
