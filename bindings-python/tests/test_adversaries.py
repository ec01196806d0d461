"""What broke other implementations and no shared vector can say: docs/adversaries.md names these tests."""

from __future__ import annotations

import pytest

from harness import asynchronous, raw_server
from itoden import InvalidStatus, InvalidURI, connect


@asynchronous
async def test_a_line_break_in_a_uri_puts_no_line_into_the_request() -> None:
    requests: list[bytes] = []

    def answer(request: bytes) -> bytes:
        requests.append(request)
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

    async with raw_server(answer) as (port, _):
        for path in ["/a\r\nX-Injected: b", "/?a\nX-Injected:b", "/\ra", "/\0"]:
            with pytest.raises(InvalidURI):
                await connect(f"ws://127.0.0.1:{port}{path}")
        assert requests == []
        with pytest.raises(InvalidStatus):
            await connect(f"ws://127.0.0.1:{port}/a%0d%0aX-Injected:b")
    assert requests[0].startswith(b"GET /a%0d%0aX-Injected:b HTTP/1.1\r\n")


@asynchronous
async def test_a_redirect_to_another_origin_takes_no_credentials_along() -> None:
    asked: list[bytes] = []

    def remember(request: bytes) -> bytes:
        asked.append(request)
        return b"HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n"

    requests: list[bytes] = []
    async with raw_server(remember) as (target, _):

        def answer(request: bytes) -> bytes:
            requests.append(request)
            location = f"Location: ws://127.0.0.1:{target}/\r\n"
            return f"HTTP/1.1 302 Found\r\n{location}Content-Length: 0\r\n\r\n".encode()

        async with raw_server(answer) as (port, _):
            with pytest.raises(InvalidStatus) as raised:
                await connect(f"ws://user:secret@127.0.0.1:{port}/")
    assert raised.value.response.status_code == 404
    assert b"\r\nAuthorization: Basic " in requests[0]
    assert len(asked) == 1
    assert b"authorization" not in asked[0].lower()
