"""Limits and defaults from the environment."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import pytest

import itoden
from harness import ROLES, TEXT, asynchronous, raw_peer, raw_server


def in_process(code: str, **environment: str) -> Any:
    """What a program prints as JSON in a process with these variables; or the end of its error."""
    done = subprocess.run(  # noqa: S603 - the program is written here
        [sys.executable, "-c", f"import json\n{code}"],
        env=os.environ | environment,
        capture_output=True,
        text=True,
        check=False,
    )
    return json.loads(done.stdout) if done.returncode == 0 else done.stderr.strip().split("\n")[-1]


ALL = "import itoden.limits as l; print(json.dumps({n: getattr(l, n) for n in l.__all__}))"


def test_every_limit_has_a_variable() -> None:
    usual = in_process(ALL)
    assert usual["MAX_REDIRECTS"] == 10
    for name in usual:
        assert in_process(ALL, **{f"ITODEN_{name}": "7"}) == usual | {name: 7}


@pytest.mark.parametrize("value", ["many", "-1", "", "1.5"])
def test_a_limit_that_is_none_is_named(value: str) -> None:
    error = in_process(ALL, ITODEN_MAX_REDIRECTS=value)
    assert "ITODEN_MAX_REDIRECTS" in error
    assert repr(value) in error


@pytest.mark.parametrize("value", ["soon", "-1", "inf", "nan"])
def test_a_delay_that_is_none_is_named(value: str) -> None:
    assert "ITODEN_BACKOFF_MIN_DELAY" in in_process(ALL, ITODEN_BACKOFF_MIN_DELAY=value)


def test_user_agent_and_server_have_variables() -> None:
    code = "from itoden.http11 import *; print(json.dumps([USER_AGENT, SERVER]))"
    assert in_process(code, ITODEN_USER_AGENT="a/1", ITODEN_SERVER="b/2") == ["a/1", "b/2"]
    assert in_process(code)[0] == in_process(code)[1] == itoden.http11.USER_AGENT


def test_the_usual_delays_are_those_of_the_environment() -> None:
    code = "from itoden.client import backoff; b = backoff(); print(json.dumps([next(b) for _ in range(4)]))"
    environment = {"INITIAL_DELAY": "0", "MIN_DELAY": "1", "MAX_DELAY": "3", "FACTOR": "2"}
    variables = {f"ITODEN_BACKOFF_{name}": value for name, value in environment.items()}
    assert in_process(code, **variables) == [0, 1, 2, 3]


CONNECTING = """
import asyncio, itoden
from harness import raw_server, answer_upgrade
async def main():
    async with raw_server(lambda _: {answer}) as (port, streams):
        try:
            connection = await itoden.connect(f"ws://127.0.0.1:{{port}}/", close_timeout=0.01)
            {then}
        except itoden.WebSocketException as error:
            result = [type(error).__name__, getattr(error, "response", None) and len(error.response.body)]
        print(json.dumps(result))
asyncio.run(main())
"""


def connecting(answer: str, then: str = "result = 'open'", **environment: str) -> Any:
    path = os.pathsep.join(os.path.dirname(os.path.abspath(file)) for file in (__file__, itoden.__path__[0]))  # noqa: PTH100, PTH120
    return in_process(CONNECTING.format(answer=answer, then=then), PYTHONPATH=path, **environment)


def test_the_number_of_headers_is_limited() -> None:
    answer = "b'HTTP/1.1 403 No\\r\\n' + b'X: y\\r\\n' * 19 + b'Content-Length: 0\\r\\n\\r\\n'"
    assert connecting(answer, ITODEN_MAX_NUM_HEADERS="19") == ["TooManyHeaders", None]
    assert connecting(answer, ITODEN_MAX_NUM_HEADERS="20") == ["InvalidStatus", 0]


def test_the_size_of_a_head_is_limited() -> None:
    answer = "b'HTTP/1.1 403 No\\r\\nX: ' + b'y' * 1000 + b'\\r\\nContent-Length: 0\\r\\n\\r\\n'"
    assert connecting(answer, ITODEN_MAX_HEAD_SIZE="1000") == ["HeaderLineTooLong", None]
    assert connecting(answer, ITODEN_MAX_HEAD_SIZE="2000") == ["InvalidStatus", 0]


def test_the_body_of_a_refusal_is_limited() -> None:
    answer = "b'HTTP/1.1 403 No\\r\\nContent-Length: 1000\\r\\n\\r\\n' + b'y' * 1000"
    assert connecting(answer, ITODEN_MAX_BODY_SIZE="10") == ["InvalidStatus", 10]
    assert connecting(answer) == ["InvalidStatus", 1000]


def test_the_number_of_fragments_is_limited() -> None:
    answer = "answer_upgrade(_) + b'\\x01\\x01a' + b'\\x00\\x01b' * 9 + b'\\x80\\x01c'"
    then = "result = await connection.recv(); connection._abort()"
    assert connecting(answer, then, ITODEN_MAX_FRAGMENTS="10") == ["ConnectionClosedError", None]
    assert connecting(answer, then, ITODEN_MAX_FRAGMENTS="11") == "abbbbbbbbbc"


@pytest.mark.parametrize("role", ROLES)
@asynchronous
async def test_too_large_a_message_says_how_large_and_what_is_allowed(role: str) -> None:
    async with raw_peer(role, max_size=10, compression=None) as (connection, peer):
        peer.send(TEXT, b"x" * 11)
        await peer.receive_close()
        peer.end()
        with pytest.raises(itoden.ConnectionClosedError) as raised:
            await connection.recv()
    cause = raised.value.__cause__
    assert isinstance(cause, itoden.PayloadTooBig)
    assert (cause.size, cause.max_size, cause.current_size) == (11, 10, None)


@asynchronous
async def test_another_version_of_http_is_told_with_its_name() -> None:
    answer = b"HTTP/1.0 101 Switching Protocols\r\n\r\n"
    async with raw_server(lambda _: answer) as (port, _):
        with pytest.raises(itoden.InvalidHandshake) as raised:
            await itoden.connect(f"ws://127.0.0.1:{port}/")
    assert isinstance(raised.value, itoden.InvalidProtocol)
    assert raised.value.protocol == "HTTP/1.0"
