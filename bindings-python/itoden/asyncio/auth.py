"""HTTP Basic Auth (RFC 7617) for servers."""

from __future__ import annotations

import hmac
import http
from collections.abc import Awaitable, Callable, Iterable
from typing import TYPE_CHECKING, Any, TypeGuard

from ..exceptions import InvalidHeader
from ..headers import build_www_authenticate_basic, parse_authorization_basic
from ..http11 import Request, Response

if TYPE_CHECKING:
    from .server import ServerConnection

__all__ = ["basic_auth", "credentials_check"]

CheckCredentials = Callable[[str, str], Awaitable[bool] | bool]


def basic_auth(
    realm: str = "",
    credentials: tuple[str, str] | Iterable[tuple[str, str]] | None = None,
    check_credentials: CheckCredentials | None = None,
) -> Callable[[ServerConnection, Request], Awaitable[Response | None]]:
    """A `process_request` for `serve()` that asks for user and password (RFC 7617).

    ::

        serve(handler, "localhost", 8765, process_request=basic_auth("shop", ("anna", "secret")))

    Who gives the right ones is let in, and the connection's `username` says who it is. Others are answered
    with 401. Give either `credentials` or `check_credentials`.

    Args:
        realm: what the password is for, in ASCII; browsers show it.
        credentials: a pair of user and password, or several. They are compared in constant time.
        check_credentials: a function or coroutine function of user and password that says whether they are
            right.

    Raises:
        TypeError: an argument is of another type.
        ValueError: both or neither of `credentials` and `check_credentials` are given.
    """
    check = credentials_check(realm, credentials, check_credentials)

    async def process_request(connection: ServerConnection, request: Request) -> Response | None:
        try:
            username, password = parse_authorization_basic(request.headers.get_all("Authorization")[0])
        except (IndexError, InvalidHeader) as error:
            wrong = "Missing credentials\n" if isinstance(error, IndexError) else "Unsupported credentials\n"
            return _refusal(connection, wrong)
        valid = check(username, password)
        if isinstance(valid, Awaitable):
            valid = await valid
        if not valid:
            return _refusal(connection, "Invalid credentials\n")
        connection.username = username
        return None

    def _refusal(connection: ServerConnection, text: str) -> Response:
        response = connection.respond(http.HTTPStatus.UNAUTHORIZED, text)
        response.headers["WWW-Authenticate"] = build_www_authenticate_basic(realm)
        return response

    return process_request


def credentials_check(
    realm: str,
    credentials: tuple[str, str] | Iterable[tuple[str, str]] | None,
    check_credentials: CheckCredentials | None,
) -> CheckCredentials:
    """The function that checks user and password, for the arguments of `basic_auth()`."""
    if not isinstance(realm, str):
        raise TypeError(f"realm must be str, not {type(realm).__name__}")
    if (credentials is None) == (check_credentials is None):
        raise ValueError("give either credentials or check_credentials")
    if check_credentials is not None:
        if not callable(check_credentials):
            raise TypeError(f"check_credentials must be a function, not {type(check_credentials).__name__}")
        return check_credentials
    pairs: list[Any]
    if _is_pair(credentials):
        pairs = [credentials]
    elif isinstance(credentials, Iterable):
        pairs = [*credentials]
    else:
        raise TypeError(
            f"credentials must be a pair or several pairs of str, not {type(credentials).__name__}"
        )
    if not all(map(_is_pair, pairs)):
        raise TypeError("credentials must be a pair or several pairs of str")
    passwords = {username: password.encode() for username, password in pairs}
    # Compared with when there is no such user, so that the time does not tell that.
    nobody = b"\0" * 16

    def check(username: str, password: str) -> bool:
        known = username in passwords
        same = hmac.compare_digest(passwords.get(username, nobody), password.encode())
        return known and same

    return check


def _is_pair(value: object) -> TypeGuard[tuple[str, str]]:
    return isinstance(value, tuple) and len(value) == 2 and all(isinstance(item, str) for item in value)
