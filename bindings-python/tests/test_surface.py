"""Names, parameters and attributes are those of `websockets`."""

from __future__ import annotations

import importlib
import inspect
from typing import Any

import pytest
import websockets

import itoden


def test_every_name_at_the_top_is_there() -> None:
    assert set(websockets.__all__) - set(itoden.__all__) == set()
    assert all(hasattr(itoden, name) for name in itoden.__all__)


@pytest.mark.parametrize(
    "module",
    [
        "asyncio.client",
        "asyncio.server",
        "asyncio.connection",
        "asyncio.router",
        "exceptions",
        "http11",
        "uri",
        "proxy",
        "typing",
        "client",
        "server",
        "protocol",
        "frames",
        "datastructures",
        "sync.client",
        "sync.server",
        "sync.connection",
        "sync.router",
    ],
)
def test_every_name_of_a_module_is_there(module: str) -> None:
    theirs = importlib.import_module(f"websockets.{module}").__all__
    ours = importlib.import_module(f"itoden.{module}")
    assert [name for name in theirs if not hasattr(ours, name)] == []


def parameters(function: Any) -> dict[str, tuple[Any, Any]]:
    found = inspect.signature(function).parameters.values()
    return {parameter.name: (parameter.kind, parameter.default) for parameter in found}


@pytest.mark.parametrize(
    "name",
    ["connect", "unix_connect", "serve", "unix_serve", "route", "unix_route", "basic_auth", "broadcast"],
)
def test_every_parameter_is_there_with_the_same_default(name: str) -> None:
    theirs, ours = parameters(getattr(websockets, name)), parameters(getattr(itoden, name))
    assert list(theirs) == list(ours)
    for (parameter, (kind, default)), (own_kind, own_default) in zip(
        theirs.items(), ours.values(), strict=True
    ):
        assert kind == own_kind, parameter
        if not callable(default) and parameter not in ("user_agent_header", "server_header"):
            assert default == own_default, parameter


@pytest.mark.parametrize("name", ["send", "recv", "recv_streaming", "ping", "pong", "close", "wait_closed"])
def test_every_parameter_of_a_method_is_there_with_the_same_default(name: str) -> None:
    theirs = parameters(getattr(websockets.ClientConnection, name))
    assert theirs == parameters(getattr(itoden.ClientConnection, name))


@pytest.mark.parametrize(
    "name", ["close", "wait_closed", "serve_forever", "start_serving", "is_serving", "get_loop"]
)
def test_every_parameter_of_a_method_of_servers_is_there(name: str) -> None:
    assert parameters(getattr(websockets.Server, name)) == parameters(getattr(itoden.Server, name))


@pytest.mark.parametrize(
    "attribute",
    [
        "local_address", "remote_address", "state", "latency", "subprotocol", "close_code", "close_reason",
        "id", "logger", "request", "response", "transport", "protocol", "loop",
    ],
)  # fmt: skip
def test_every_attribute_of_a_connection_is_there_before_it_is_open(attribute: str) -> None:
    settings = itoden.connect("ws://localhost/")._settings
    connection = itoden.ClientConnection(settings, itoden.connect("ws://localhost/").logger)
    assert hasattr(connection, attribute)


@pytest.mark.parametrize(
    ("module", "name", "present"),
    [
        ("", "WebSocketClientProtocol", "ClientConnection"),
        ("", "WebSocketCommonProtocol", "Connection"),
        ("", "WebSocketServer", "Server"),
        ("", "WebSocketServerProtocol", "ServerConnection"),
        ("", "InvalidStatusCode", "InvalidStatus"),
        (".client", "WebSocketClientProtocol", "ClientConnection"),
        (".client", "connect", "connect"),
        (".client", "unix_connect", "unix_connect"),
        (".server", "WebSocketServerProtocol", "ServerConnection"),
        (".server", "broadcast", "broadcast"),
        (".server", "serve", "serve"),
        (".server", "unix_serve", "unix_serve"),
        (".exceptions", "InvalidStatusCode", "InvalidStatus"),
        (".exceptions", "WebSocketProtocolError", "ProtocolError"),
    ],
)
def test_a_deprecated_name_warns_and_means_the_present_one(module: str, name: str, present: str) -> None:
    found = {}
    for library in ("websockets", "itoden"):
        with pytest.warns(DeprecationWarning, match="deprecated"):
            found[library] = getattr(importlib.import_module(library + module), name)
    assert found["itoden"] is getattr(itoden, present)


@pytest.mark.parametrize("module", ["", ".client", ".server", ".exceptions"])
def test_a_name_that_never_was_is_none(module: str) -> None:
    name = "Nobody"
    for library in ("websockets", "itoden"):
        with pytest.raises(AttributeError, match=f"module '{library}{module}' has no attribute '{name}'"):
            getattr(importlib.import_module(library + module), name)


def test_what_became_protocol_is_still_found_where_it_was() -> None:
    for library in ("websockets", "itoden"):
        with pytest.warns(
            DeprecationWarning, match=f"{library}.connection was renamed to {library}.protocol"
        ):
            found = importlib.import_module(f"{library}.connection")
        protocol = importlib.import_module(f"{library}.protocol")
        assert (found.State, found.Side, found.SEND_EOF) == (protocol.State, protocol.Side, protocol.SEND_EOF)
