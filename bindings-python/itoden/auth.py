"""HTTP Basic Auth (RFC 7617) for servers: what is the same on asyncio and in threads."""

from __future__ import annotations

import hmac
import http
from collections.abc import Awaitable, Callable, Iterable
from typing import Any, TypeGuard

from .exceptions import InvalidHeader
from .headers import build_www_authenticate_basic, parse_authorization_basic
from .http11 import Request, Response, refusal

__all__ = ["CheckCredentials", "credentials_check", "credentials_of", "unauthorized"]

CheckCredentials = Callable[[str, str], Awaitable[bool] | bool]


def credentials_of(request: Request, realm: str) -> tuple[str, str] | Response:
    """The user and the password of a request, or the response to one that has none."""
    try:
        return parse_authorization_basic(request.headers.get_all("Authorization")[0])
    except IndexError:
        return unauthorized("Missing credentials\n", realm)
    except InvalidHeader:
        return unauthorized("Unsupported credentials\n", realm)


def unauthorized(text: str, realm: str) -> Response:
    """The response that asks for user and password (RFC 7617 §2)."""
    response = refusal(http.HTTPStatus.UNAUTHORIZED, text)
    response.headers["WWW-Authenticate"] = build_www_authenticate_basic(realm)
    return response


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
    return (
        isinstance(value, (tuple, list)) and len(value) == 2 and all(isinstance(item, str) for item in value)
    )
