"""HTTP Basic Auth (RFC 7617) for servers in threads."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from ..auth import credentials_check, credentials_of, unauthorized
from ..http11 import Request, Response

if TYPE_CHECKING:
    from .server import ServerConnection

__all__ = ["basic_auth"]


def basic_auth(
    realm: str = "",
    credentials: tuple[str, str] | Iterable[tuple[str, str]] | None = None,
    check_credentials: Callable[[str, str], bool] | None = None,
) -> Callable[[ServerConnection, Request], Response | None]:
    """A `process_request` for `serve()` that asks for user and password (RFC 7617).

    ::

        serve(handler, "localhost", 8765, process_request=basic_auth("shop", ("anna", "secret")))

    Who gives the right ones is let in, and the connection's `username` says who it is. Others are answered
    with 401. Give either `credentials` or `check_credentials`.

    Args:
        realm: what the password is for, in ASCII; browsers show it.
        credentials: a pair of user and password, or several. They are compared in constant time.
        check_credentials: a function of user and password that says whether they are right.

    Raises:
        TypeError: an argument is of another type.
        ValueError: both or neither of `credentials` and `check_credentials` are given.
    """
    check = credentials_check(realm, credentials, check_credentials)

    def process_request(connection: ServerConnection, request: Request) -> Response | None:
        given = credentials_of(request, realm)
        if isinstance(given, Response):
            return given
        if not check(*given):
            return unauthorized("Invalid credentials\n", realm)
        connection.username = given[0]
        return None

    return process_request
