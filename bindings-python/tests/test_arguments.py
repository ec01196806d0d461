"""Arguments that are wrong are refused at once, by name."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pytest

import itoden
from harness import asynchronous


async def handler(connection: itoden.ServerConnection) -> None:
    await connection.wait_closed()


def make_client(**options: Any) -> object:
    return itoden.connect("ws://localhost/", **options)


def make_server(**options: Any) -> object:
    return itoden.serve(handler, "localhost", 0, **options)


WRONG = [
    ("max_size", "big", TypeError),
    ("max_size", -1, ValueError),
    ("max_size", 1.5, TypeError),
    ("max_size", True, TypeError),
    ("max_queue", "x", TypeError),
    ("max_queue", -1, ValueError),
    ("max_queue", (1, 2), ValueError),
    ("max_queue", (1, 2, 3), ValueError),
    ("write_limit", None, TypeError),
    ("write_limit", -1, ValueError),
    ("open_timeout", "10", TypeError),
    ("open_timeout", -1, ValueError),
    ("open_timeout", float("nan"), ValueError),
    ("close_timeout", "10", TypeError),
    ("close_timeout", float("nan"), ValueError),
    ("subprotocols", "chat", TypeError),
    ("subprotocols", [1], TypeError),
    ("compression", "gzip", ValueError),
    ("compression", 20, ValueError),
    ("extensions", "permessage-deflate", TypeError),
    ("extensions", 20, TypeError),
    ("extensions", [object()], TypeError),
    ("ping_interval", "20", TypeError),
    ("ping_interval", -1, ValueError),
    ("ping_timeout", "20", TypeError),
    ("ping_timeout", float("-inf"), ValueError),
    ("create_connection", 1, TypeError),
]


@pytest.mark.parametrize("make", [make_client, make_server])
@pytest.mark.parametrize(("name", "value", "error"), WRONG)
def test_an_argument_of_a_wrong_type_or_value_is_named(
    make: Callable[..., object], name: str, value: object, error: type[Exception]
) -> None:
    with pytest.raises(error, match=name):
        make(**{name: value})


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"origin": 1}, TypeError, "origin"),
        ({"user_agent_header": 1}, TypeError, "user_agent_header"),
        ({"proxy": 20}, TypeError, "proxy"),
        ({"proxy": False}, TypeError, "proxy"),
        ({"process_exception": None}, TypeError, "process_exception"),
        ({"reconnect_delays": 5}, TypeError, "reconnect_delays"),
        ({"additional_headers": {"X": None}}, TypeError, "header names and values must be str"),
        ({"additional_headers": {"X\r\nY": "z"}}, ValueError, "header name"),
        ({"additional_headers": {"X": "a\r\nb"}}, ValueError, "header value"),
        ({"additional_headers": {"Upgrade": "h2c"}}, ValueError, "Upgrade"),
        ({"origin": "a\r\nb"}, ValueError, "header value"),
        ({"subprotocols": ["a b"]}, ValueError, "a b"),
        ({"subprotocols": ["a", "a"]}, ValueError, "subprotocol"),
        ({"ssl": True}, ValueError, "ssl"),
    ],
)
def test_a_client_refuses_what_cannot_be_asked(
    options: dict[str, Any], error: type[Exception], match: str
) -> None:
    with pytest.raises(error, match=match):
        make_client(**options)


@pytest.mark.parametrize(
    ("options", "match"),
    [
        ({"origins": "https://example.com"}, "origins"),
        ({"origins": [1]}, "origins"),
        ({"server_header": 1}, "server_header"),
    ],
)
def test_a_server_refuses_what_has_no_meaning(options: dict[str, Any], match: str) -> None:
    with pytest.raises(TypeError, match=match):
        make_server(**options)


def test_the_handler_must_be_callable() -> None:
    with pytest.raises(TypeError, match="handler must be a coroutine function, not str"):
        itoden.serve("echo", "localhost", 0)  # type: ignore[arg-type]


@asynchronous
async def test_a_server_that_was_not_started_says_so() -> None:
    with pytest.raises(RuntimeError, match="not started"):
        itoden.serve(handler, "localhost", 0).close()


@asynchronous
async def test_a_connection_that_is_not_open_yet_says_so() -> None:
    seen: list[Exception] = []

    async def too_early(connection: itoden.ServerConnection, request: itoden.Request) -> None:
        assert connection.state is itoden.State.CONNECTING
        for attempt in (connection.send("x"), connection.ping(), connection.close()):
            try:
                await attempt
            except itoden.InvalidState as error:
                seen.append(error)

    async with itoden.serve(handler, "127.0.0.1", 0, process_request=too_early) as server:
        async with itoden.connect(f"ws://127.0.0.1:{server.sockets[0].getsockname()[1]}/"):
            pass
    assert len(seen) == 3
