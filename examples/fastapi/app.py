"""A room where everyone hears everyone, on FastAPI.

uvicorn app:app --ws itoden.uvicorn:WebSocketProtocol
"""

from __future__ import annotations

import contextlib

from fastapi import FastAPI, WebSocket, WebSocketDisconnect, status

app = FastAPI()
rooms: dict[str, set[WebSocket]] = {}


async def tell(room: str, event: dict[str, str]) -> None:
    """Sends an event to all who are in a room."""
    for websocket in [*rooms.get(room, ())]:
        with contextlib.suppress(WebSocketDisconnect):  # its own handler takes it out of the room
            await websocket.send_json(event)


@app.websocket("/rooms/{room}")
async def enter(websocket: WebSocket, room: str, name: str = "") -> None:
    """One who is in a room."""
    if not name:
        # Before it is accepted: the client is refused with 403.
        await websocket.close(status.WS_1008_POLICY_VIOLATION)
        return
    await websocket.accept()
    rooms.setdefault(room, set()).add(websocket)
    await tell(room, {"name": name, "event": "came"})
    try:
        while True:
            await tell(room, {"name": name, "event": "said", "text": await websocket.receive_text()})
    except WebSocketDisconnect:
        rooms[room].discard(websocket)
        if not rooms[room]:
            del rooms[room]
        await tell(room, {"name": name, "event": "left"})


@app.get("/rooms")
async def count() -> dict[str, int]:
    """How many are in each room."""
    return {room: len(inside) for room, inside in rooms.items()}
