"""Clients and servers for asyncio, with the module and class names of `websockets.asyncio`."""
