"""WebSocket connections in threads: the same API as `websockets.sync`."""
