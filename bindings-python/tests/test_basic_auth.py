"""HTTP Basic Auth (RFC 7617)."""

from __future__ import annotations

import base64
from typing import Any

import pytest
import websockets.headers

import itoden
from harness import REQUEST, asynchronous
from itoden.headers import (
    build_authorization_basic,
    build_host,
    build_www_authenticate_basic,
    parse_authorization_basic,
)
from parity import LIBRARIES, same, serving
from test_server_options import ask


async def tell_user(connection: Any) -> None:
    await connection.send(connection.username)


async def later(username: str, password: str) -> bool:
    return (username, password) == ("anna", "sécret:x")


CHECKS: dict[str, dict[str, Any]] = {
    "a pair": {"credentials": ("anna", "sécret:x")},
    "pairs": {"credentials": [("otto", "x"), ("anna", "sécret:x")]},
    "a function": {
        "check_credentials": lambda username, password: (username, password) == ("anna", "sécret:x")
    },
    "a coroutine function": {"check_credentials": later},
}


@pytest.mark.parametrize("check", CHECKS)
@pytest.mark.parametrize(
    "user", ["anna:s%C3%A9cret%3Ax", "anna:wrong", "otto:s%C3%A9cret%3Ax", "nobody:x", None]
)
def test_who_has_the_right_password_is_let_in(check: str, user: str | None) -> None:
    async def scenario(library: Any) -> object:
        process = library.basic_auth("shop", **CHECKS[check])
        async with serving(library, tell_user, process_request=process) as uri:
            uri = uri if user is None else uri.replace("ws://", f"ws://{user}@")
            try:
                async with library.connect(uri) as connection:
                    return await connection.recv()
            except library.InvalidStatus as error:
                response = error.response
                return response.status_code, bytes(response.body), response.headers["WWW-Authenticate"]

    observed = same(scenario)
    if user == "anna:s%C3%A9cret%3Ax":
        assert observed == "anna"
    else:
        assert observed[0] == 401


@pytest.mark.parametrize(
    "authorization",
    [
        "Bearer token",
        "Basic",
        "Basic ",
        "Basic !!!",
        "Basic " + base64.b64encode(b"without a colon").decode(),
        "basic " + base64.b64encode(b"anna:x").decode(),
        "Basic " + base64.b64encode(b"\xff:x").decode(),
    ],
)
@asynchronous
async def test_credentials_that_can_not_be_read_are_refused_with_401(authorization: str) -> None:
    async with serving(
        itoden, tell_user, process_request=itoden.basic_auth(credentials=("anna", "y"))
    ) as uri:
        first, fields, body = await ask(uri, f"{REQUEST}Authorization: {authorization}\r\n\r\n")
    assert first == "HTTP/1.1 401 Unauthorized"
    assert fields["www-authenticate"] == 'Basic realm="", charset="UTF-8"'
    assert body in (b"Unsupported credentials\n", b"Invalid credentials\n")


@pytest.mark.parametrize("name", LIBRARIES)
@pytest.mark.parametrize(
    ("arguments", "error"),
    [
        ({}, ValueError),
        ({"credentials": ("a", "b"), "check_credentials": later}, ValueError),
        ({"credentials": 5}, TypeError),
        ({"credentials": [("a", "b", "c")]}, TypeError),
        ({"credentials": [("a", 5)]}, TypeError),
    ],
    ids=str,
)
def test_arguments_that_say_too_little_or_too_much_raise(
    name: str, arguments: dict[str, Any], error: type[Exception]
) -> None:
    with pytest.raises(error):
        LIBRARIES[name].basic_auth("shop", **arguments)


@pytest.mark.parametrize("credentials", ["ab", [["a", "b", "c"]], ("a", b"b")], ids=str)
def test_credentials_that_are_no_pairs_of_strings_raise(credentials: Any) -> None:
    with pytest.raises(TypeError, match="credentials"):
        itoden.basic_auth("shop", credentials)


@pytest.mark.parametrize(
    "value", ["Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==", "basic YTo=", "Basic OmI=", "Basic YTpiOmM="]
)
def test_credentials_are_read_as_in_websockets(value: str) -> None:
    assert parse_authorization_basic(value) == websockets.headers.parse_authorization_basic(value)


def test_header_values_are_built_as_in_websockets() -> None:
    assert build_authorization_basic("é", "a:b") == websockets.headers.build_authorization_basic("é", "a:b")
    for realm in ("", "shop", 'a "shop"', "back\\slash"):
        assert build_www_authenticate_basic(realm) == websockets.headers.build_www_authenticate_basic(realm)
    for host, port, secure in (("a", 80, False), ("a", 80, True), ("::1", 443, True), ("::1", 1, True)):
        assert build_host(host, port, secure) == websockets.headers.build_host(host, port, secure)


def test_a_user_with_a_colon_can_not_be_named() -> None:
    with pytest.raises(ValueError, match="colon"):
        build_authorization_basic("a:b", "c")
