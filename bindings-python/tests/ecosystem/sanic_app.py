"""A service of sanic, whose WebSockets are made of `ServerProtocol`. It is told the number of a socket."""

# mypy: ignore-errors
# sanic is in an environment of its own.

import socket
import sys

from sanic import Request, Sanic, Websocket

app = Sanic("echo")


@app.websocket("/feed", subprotocols=["chat"])
async def feed(_: Request, ws: Websocket) -> None:
    async for message in ws:
        match message:
            case "ping":
                await ws.ping(b"from sanic")
            case "close":
                await ws.close(4001, "bye")
        await ws.send(message)


@app.websocket("/plain")
async def plain(_: Request, ws: Websocket) -> None:
    while True:
        await ws.send(repr(await ws.recv()))


if __name__ == "__main__":
    app.run(sock=socket.socket(fileno=int(sys.argv[1])), single_process=True, access_log=False, motd=False)
