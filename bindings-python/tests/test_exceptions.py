"""Exceptions have the classes, attributes and messages that `websockets` gives them."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable
from typing import Any

import pytest
import websockets
import websockets.exceptions

import itoden
import itoden.exceptions

NAMES = list(websockets.exceptions.__all__)


@pytest.mark.parametrize("name", NAMES)
def test_every_exception_has_the_same_ancestors(name: str) -> None:
    theirs = [cls.__name__ for cls in getattr(websockets.exceptions, name).__mro__]
    assert theirs == [cls.__name__ for cls in getattr(itoden.exceptions, name).__mro__]


def response(library: Any) -> Any:
    return library.Response(407, "Proxy Authentication Required", library.Headers())


MADE: dict[str, Any] = {
    "InvalidURI": lambda lib: lib.InvalidURI("ws:", "hostname isn't provided"),
    "InvalidProxy": lambda lib: lib.InvalidProxy("ftp:", "scheme isn't supported"),
    "InvalidProxyStatus": lambda lib: lib.InvalidProxyStatus(response(lib)),
    "InvalidStatus": lambda lib: lib.InvalidStatus(response(lib)),
    "InvalidMethod": lambda lib: lib.InvalidMethod("POST"),
    "InvalidProtocol": lambda lib: lib.InvalidProtocol("HTTP/1.0"),
    "InvalidHeader missing": lambda lib: lib.InvalidHeader("Host"),
    "InvalidHeader empty": lambda lib: lib.InvalidHeader("Host", ""),
    "InvalidHeader": lambda lib: lib.InvalidHeader("Host", "a b"),
    "InvalidHeaderValue": lambda lib: lib.InvalidHeaderValue("Host", "a b"),
    "InvalidHeaderFormat": lambda lib: lib.InvalidHeaderFormat("Connection", "expected token", "a b", 2),
    "InvalidOrigin missing": lambda lib: lib.InvalidOrigin(None),
    "InvalidOrigin": lambda lib: lib.InvalidOrigin("http://example.com"),
    "InvalidUpgrade": lambda lib: lib.InvalidUpgrade("Upgrade", "h2c"),
    "DuplicateParameter": lambda lib: lib.DuplicateParameter("a"),
    "InvalidParameterName": lambda lib: lib.InvalidParameterName("a"),
    "InvalidParameterValue missing": lambda lib: lib.InvalidParameterValue("a", None),
    "InvalidParameterValue empty": lambda lib: lib.InvalidParameterValue("a", ""),
    "InvalidParameterValue": lambda lib: lib.InvalidParameterValue("a", "b"),
    "PayloadTooBig": lambda lib: lib.PayloadTooBig(5, 3),
    "PayloadTooBig later": lambda lib: lib.PayloadTooBig(5, 6, 3),
    "PayloadTooBig unknown": lambda lib: lib.PayloadTooBig(None, 3),
    "TooManyFragments": lambda lib: lib.TooManyFragments(3),
    "ConnectionClosedOK": lambda lib: lib.ConnectionClosedOK(
        lib.Close(1000, "bye"), lib.Close(1000, ""), True
    ),
    "ConnectionClosedError": lambda lib: lib.ConnectionClosedError(
        None, lib.Close(1011, "keepalive ping timeout")
    ),
    "ConnectionClosedError lost": lambda lib: lib.ConnectionClosedError(None, None),
    "ConnectionClosedError first": lambda lib: lib.ConnectionClosedError(
        lib.Close(1006, ""), lib.Close(3000, "x"), False
    ),
}


@pytest.mark.parametrize("name", MADE)
def test_every_exception_says_the_same(name: str) -> None:
    assert str(MADE[name](itoden)) == str(MADE[name](websockets))


@pytest.mark.parametrize("name", MADE)
def test_every_exception_has_the_same_attributes(name: str) -> None:
    theirs, ours = MADE[name](websockets), MADE[name](itoden)
    for attribute, value in vars(theirs).items():
        if attribute == "response":
            assert getattr(ours, attribute).status_code == value.status_code
        elif attribute != "message":  # how the message is kept
            assert str(getattr(ours, attribute)) == str(value), attribute


def pickled(error: Any) -> Any:
    return pickle.loads(pickle.dumps(error))  # noqa: S301 - what was pickled here


@pytest.mark.parametrize("name", MADE)
@pytest.mark.parametrize("again", [copy.copy, copy.deepcopy, pickled])
def test_every_exception_can_be_copied_and_pickled(name: str, again: Callable[[Any], Any]) -> None:
    error = MADE[name](itoden)
    error.add_note("seen")
    copied = again(error)
    assert type(copied) is type(error)
    assert (str(copied), repr(copied)) == (str(error), repr(error))
    assert {key: str(value) for key, value in vars(copied).items()} == {
        key: str(value) for key, value in vars(error).items()
    }


@pytest.mark.parametrize("name", itoden.exceptions.TABLE)
def test_what_the_core_tells_can_be_pickled(name: str) -> None:
    error = itoden.exceptions.from_core(name, "why", {"response": None})
    copied = pickled(error)
    assert (type(copied), copied.args, vars(copied)) == (type(error), error.args, vars(error))


def test_code_and_reason_of_an_end_are_deprecated_but_there() -> None:
    error = itoden.ConnectionClosedOK(itoden.Close(1001, "bye"), None)
    lost = itoden.ConnectionClosedError(None, None)
    with pytest.warns(DeprecationWarning, match=r"rcvd\.code"):
        assert (error.code, lost.code) == (1001, 1006)
    with pytest.warns(DeprecationWarning, match=r"rcvd\.reason"):
        assert (error.reason, lost.reason) == ("bye", "")


@pytest.mark.parametrize("code", [*range(999, 1020), 2000, 2999, 3000, 3999, 4000, 4999, 5000])
def test_every_close_code_means_the_same(code: int) -> None:
    assert str(itoden.Close(code, "why")) == str(websockets.Close(code, "why"))
