//! WebSocket connections over tokio.
