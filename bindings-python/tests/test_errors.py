"""Exceptions: each error of the core has its class, code and section."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest

import itoden
from itoden import exceptions
from itoden._native import Connection

ERRORS = json.loads((Path(__file__).parents[2] / "core" / "vectors" / "errors.json").read_text())


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error["name"])
def test_every_error_of_the_core_is_an_exception_that_tells_its_row_of_the_table(
    error: dict[str, Any],
) -> None:
    raised = exceptions.from_core(error["name"], "what came and what was allowed")
    assert isinstance(raised, itoden.WebSocketException)
    assert type(raised) is not itoden.WebSocketException
    assert str(raised) == "what came and what was allowed"
    assert (raised.error_name, raised.section, raised.rule) == (
        error["name"],
        error["section"],
        error["rule"],
    )
    status = error["status"] or None
    assert raised.close_code == (status if error["fault"] == "protocol" else None)
    assert raised.status == (status if error["fault"] == "handshake" else None)


def test_no_class_is_given_to_an_error_that_the_core_does_not_have() -> None:
    assert set(exceptions.CLASSES) == {error["name"] for error in ERRORS}


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: error["name"])
def test_the_fault_decides_the_base_class(error: dict[str, Any]) -> None:
    cls = exceptions.CLASSES[error["name"]]
    assert issubclass(cls, itoden.InvalidHandshake) == (error["fault"] == "handshake")


def test_an_error_of_the_peer_reaches_python_with_what_came_and_what_was_allowed() -> None:
    (event,) = Connection("server").receive_data(bytes.fromhex("c180"))
    assert event[0] == "failed"
    error = event[1]
    assert isinstance(error, itoden.ProtocolError)
    assert error.error_name == "reserved_bits"
    assert error.close_code == 1002
    assert error.section == "RFC 6455 §5.2"
    assert "100" in str(error)


def test_a_mistake_of_the_caller_is_a_value_error_too() -> None:
    connection = Connection("server")
    with pytest.raises(ValueError, match="1005") as raised:
        connection.send_close(1005)
    assert isinstance(raised.value, itoden.ProtocolError)
    assert connection.data_to_send() == b""


def test_connection_closed_tells_the_close_frames_in_their_order() -> None:
    bye, lost = itoden.Close(1000, "bye"), itoden.Close(1011, "")
    told = {
        itoden.ConnectionClosed(None, None): "no close frame received or sent",
        itoden.ConnectionClosed(None, lost): "sent 1011 (internal error); no close frame received",
        itoden.ConnectionClosed(bye, None): "received 1000 (OK) bye; no close frame sent",
        itoden.ConnectionClosed(bye, lost, True): ("received 1000 (OK) bye; then sent 1011 (internal error)"),
        itoden.ConnectionClosed(bye, lost, False): (
            "sent 1011 (internal error); then received 1000 (OK) bye"
        ),
    }
    for exception, text in told.items():
        assert str(exception) == text


def test_exceptions_survive_pickling() -> None:
    closed = itoden.ConnectionClosedError(itoden.Close(1011, "x"), None)
    again = pickle.loads(pickle.dumps(closed))  # noqa: S301 - of this test's own making
    assert (type(again), again.rcvd, again.sent) == (type(closed), closed.rcvd, None)
    header = exceptions.from_core("invalid_header", "message", {"name": "Host", "value": "x"})
    again = pickle.loads(pickle.dumps(header))  # noqa: S301 - of this test's own making
    assert isinstance(again, itoden.InvalidHeader)
    assert (again.name, again.value, again.error_name) == ("Host", "x", "invalid_header")


@pytest.mark.parametrize(
    ("code", "text"),
    [
        (1000, "1000 (OK)"),
        (3333, "3333 (registered)"),
        (4000, "4000 (private use)"),
        (2999, "2999 (unknown)"),
    ],
)
def test_a_close_frame_says_what_its_code_means(code: int, text: str) -> None:
    assert str(itoden.Close(code, "")) == text
