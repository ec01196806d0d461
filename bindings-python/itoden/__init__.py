"""itoden: WebSocket clients and servers for asyncio, over a core in Rust.

The names are those of `websockets`: `connect`, `serve`, `ConnectionClosed` and so on, so that a service
changes by one import. Everything that a program needs is here at the top; the modules below have the names of
`websockets`' modules.
"""

from ._native import __version__
from .asyncio.client import ClientConnection, connect
from .asyncio.connection import Connection
from .asyncio.server import Server, ServerConnection, serve
from .datastructures import Headers, HeadersLike, MultipleValuesError
from .exceptions import (
    ConcurrencyError,
    ConnectionClosed,
    ConnectionClosedError,
    ConnectionClosedOK,
    InvalidHandshake,
    InvalidHeader,
    InvalidHeaderValue,
    InvalidMessage,
    InvalidMethod,
    InvalidOption,
    InvalidOrigin,
    InvalidProtocol,
    InvalidState,
    InvalidStatus,
    InvalidUpgrade,
    InvalidURI,
    NegotiationError,
    PayloadTooBig,
    ProtocolError,
    SecurityError,
    SendError,
    TooManyFragments,
    TooManyHeaders,
    WebSocketException,
)
from .frames import Close, CloseCode
from .http11 import Request, Response
from .protocol import State
from .typing import Data, DataLike, LoggerLike, Origin, Subprotocol

__all__ = [
    "ClientConnection",
    "Close",
    "CloseCode",
    "ConcurrencyError",
    "Connection",
    "ConnectionClosed",
    "ConnectionClosedError",
    "ConnectionClosedOK",
    "Data",
    "DataLike",
    "Headers",
    "HeadersLike",
    "InvalidHandshake",
    "InvalidHeader",
    "InvalidHeaderValue",
    "InvalidMessage",
    "InvalidMethod",
    "InvalidOption",
    "InvalidOrigin",
    "InvalidProtocol",
    "InvalidState",
    "InvalidStatus",
    "InvalidURI",
    "InvalidUpgrade",
    "LoggerLike",
    "MultipleValuesError",
    "NegotiationError",
    "Origin",
    "PayloadTooBig",
    "ProtocolError",
    "Request",
    "Response",
    "SecurityError",
    "SendError",
    "Server",
    "ServerConnection",
    "State",
    "Subprotocol",
    "TooManyFragments",
    "TooManyHeaders",
    "WebSocketException",
    "__version__",
    "connect",
    "serve",
]
