"""URIs and header fields."""

from __future__ import annotations

import dataclasses
from typing import Any

import pytest
import websockets
import websockets.headers
import websockets.uri

import itoden
import itoden.headers
from itoden.uri import WebSocketURI, parse_uri


@pytest.mark.parametrize(
    ("uri", "parts", "host_header", "authorization"),
    [
        ("ws://localhost", (False, "localhost", 80, "/", ""), "localhost", None),
        ("ws://localhost?a=b", (False, "localhost", 80, "/", "a=b"), "localhost", None),
        ("wss://localhost/", (True, "localhost", 443, "/", ""), "localhost", None),
        ("ws://localhost:8765/a?b=c", (False, "localhost", 8765, "/a", "b=c"), "localhost:8765", None),
        ("ws://localhost/a?b=c?d", (False, "localhost", 80, "/a", "b=c?d"), "localhost", None),
        ("ws://localhost/?", (False, "localhost", 80, "/", ""), "localhost", None),
        ("WS://LocalHost/", (False, "localhost", 80, "/", ""), "localhost", None),
        ("ws://[::1]:9/", (False, "::1", 9, "/", ""), "[::1]:9", None),
        (
            "ws://localhost/grüße?a=ü%20",
            (False, "localhost", 80, "/gr%C3%BC%C3%9Fe", "a=%C3%BC%20"),
            "localhost",
            None,
        ),
        (
            "ws://müller.example:81/ü",
            (False, "xn--mller-kva.example", 81, "/%C3%BC", ""),
            "xn--mller-kva.example:81",
            None,
        ),
        ("ws://localhost/a<b>?c={d}", (False, "localhost", 80, "/a%3Cb%3E", "c=%7Bd%7D"), "localhost", None),
        ("ws://a:b@localhost/", (False, "localhost", 80, "/", "", "a", "b"), "localhost", "Basic YTpi"),
        (
            "ws://ä:b%40@ö.example/",
            (False, "xn--nda.example", 80, "/", "", "ä", "b@"),
            "xn--nda.example",
            "Basic w6Q6YkA=",
        ),
    ],
)
def test_a_uri_is_taken_apart(
    uri: str, parts: tuple[Any, ...], host_header: str, authorization: str | None
) -> None:
    found = parse_uri(uri)
    assert found == WebSocketURI(*parts)
    assert (found.host_header, found.authorization) == (host_header, authorization)


@pytest.mark.parametrize(
    "uri", ["ws://localhost", "ws://localhost?a=b", "wss://a:b@localhost:1/c?d", "ws://müller.example/ü"]
)
def test_a_uri_has_the_parts_that_websockets_finds(uri: str) -> None:
    ours, theirs = parse_uri(uri), websockets.uri.parse_uri(uri)
    # An empty path is told as what stands for it.
    theirs.path = theirs.path or "/"
    assert dataclasses.asdict(ours) == dataclasses.asdict(theirs)
    assert (ours.resource_name, ours.user_info) == (theirs.resource_name, theirs.user_info)
    assert WebSocketURI(False, "localhost", 80, "", "a").resource_name == "/?a"


@pytest.mark.parametrize(
    ("uri", "why"),
    [
        ("http://localhost/", "ws and wss"),
        ("localhost", "ws://"),
        ("ws:///", "no host"),
        ("ws://" + "ü" * 70 + "/", "ASCII form"),
        ("ü", "ASCII"),
        ("ws://localhost/#top", "fragment"),
        ("ws://localhost/#", "fragment"),
        ("ws://localhost:99999/", "ort"),
        ("ws://localhost:x/", "ort"),
        ("ws://local host/", "space"),
        ("ws://localhost/a\r\nX: y", "control character"),
        ("ws://user@localhost/", "password"),
        ("ws://us%3Aer:password@localhost/", "colon"),
        ("ws://[::1/", "IPv6"),
    ],
)
def test_what_is_not_a_websocket_uri_is_refused_with_the_reason(uri: str, why: str) -> None:
    with pytest.raises(itoden.InvalidURI, match=why) as raised:
        itoden.connect(uri)
    assert raised.value.uri == uri


@pytest.mark.parametrize("uri", ["ws://localhost/a\n", " ws://localhost/a", "\tws://localhost/a\r\n"])
def test_what_is_around_a_uri_does_not_count(uri: str) -> None:
    theirs = websockets.uri.parse_uri(uri)
    assert dataclasses.asdict(parse_uri(uri)) == dataclasses.asdict(theirs)
    assert theirs.path == "/a"


def test_a_uri_must_be_str() -> None:
    with pytest.raises(TypeError, match="uri must be str, not bytes"):
        itoden.connect(b"ws://localhost/")  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("uri", "host"),
    [
        ("ws://localhost/", "localhost"),
        ("ws://localhost:80/", "localhost"),
        ("wss://localhost:80/", "localhost:80"),
        ("ws://[::1]/", "[::1]"),
        ("ws://[::1]:81/", "[::1]:81"),
    ],
)
def test_host_has_the_port_unless_it_is_the_schemes_own(uri: str, host: str) -> None:
    assert parse_uri(uri).host_header == host


def test_header_names_of_any_case_are_the_same() -> None:
    headers = itoden.Headers({"Content-Type": "text/plain"}, X="y")
    assert headers["content-type"] == "text/plain"
    assert "CONTENT-TYPE" in headers
    assert "Other" not in headers
    assert list(headers) == ["content-type", "x"]
    assert len(headers) == 2
    assert headers == itoden.Headers([("x", "y"), ("content-type", "text/plain")])


def test_a_header_can_be_there_several_times() -> None:
    headers = itoden.Headers()
    headers["Set-Cookie"] = "a"
    headers["set-cookie"] = "b"
    assert headers.get_all("SET-COOKIE") == ["a", "b"]
    with pytest.raises(itoden.MultipleValuesError, match="2 times"):
        headers["Set-Cookie"]
    assert list(headers.raw_items()) == [("Set-Cookie", "a"), ("set-cookie", "b")]
    assert str(headers) == "Set-Cookie: a\r\nset-cookie: b\r\n\r\n"
    copy = headers.copy()
    del headers["SET-cookie"]
    assert len(headers) == 0
    assert len(copy.get_all("Set-Cookie")) == 2
    with pytest.raises(KeyError):
        del headers["Set-Cookie"]
    with pytest.raises(KeyError):
        headers["Set-Cookie"]
    copy.clear()
    assert copy == headers


def test_headers_are_equal_if_each_has_the_same_values_in_the_same_order() -> None:
    for pairs in ([("a", "1"), ("B", "2"), ("A", "3")], [("B", "2"), ("a", "3"), ("a", "1")], [("A", "1")]):
        ours, theirs = (lib.Headers([("A", "1"), ("a", "3"), ("b", "2")]) for lib in (itoden, websockets))
        assert (ours == itoden.Headers(pairs)) is (theirs == websockets.Headers(pairs))


@pytest.mark.parametrize("value", ["", "a b\tc", "ü", "€", "a\r\nb", "a\nb", "a\x00", "\x7f"])
def test_a_value_that_would_break_out_of_its_line_is_refused(value: str) -> None:
    def outcome(library: Any) -> list[Any]:
        seen: list[Any] = []
        for kind in ("set", "made", "updated"):
            headers = library.Headers({"A": "b"})
            try:
                if kind == "set":
                    headers["X"] = value
                elif kind == "made":
                    headers = library.Headers([("A", "b")], X=value)
                else:
                    headers.update({"X": value})
            except library.InvalidHeaderValue as error:
                seen.append((error.name, error.value, str(error)))
            seen.append((list(headers.raw_items()), headers.serialize()))
        return seen

    assert outcome(itoden) == outcome(websockets)


def test_a_number_is_told_in_decimal() -> None:
    ours, theirs = (lib.Headers({"X": 5, "Y": 1.5}) for lib in (itoden, websockets))
    ours["Z"] = theirs["Z"] = 0
    assert str(ours) == str(theirs) == "X: 5\r\nY: 1.5\r\nZ: 0\r\n\r\n"
    assert list(ours.values()) == ["5", "1.5", "0"]


def test_a_request_can_be_written() -> None:
    ours, theirs = (
        lib.Request("/a?b", lib.Headers([("Host", "localhost"), ("X", "ü")])) for lib in (itoden, websockets)
    )
    assert ours.serialize() == theirs.serialize()


@pytest.mark.parametrize("body", [b"ok", bytearray(b"ok"), memoryview(b"ok")])
def test_the_body_of_a_response_is_bytes_of_any_kind(body: Any) -> None:
    ours, theirs = (lib.Response(200, "OK", lib.Headers(A="b"), body) for lib in (itoden, websockets))
    assert ours.serialize() == theirs.serialize()
    with pytest.raises(TypeError, match="must be bytes, not str"):
        itoden.Response(200, "OK", itoden.Headers(), "ok").serialize()  # type: ignore[arg-type]


@pytest.mark.parametrize(
    "header",
    [
        "a",
        "a, b",
        "a,b,,c",
        ", ,a ,",
        "",
        ",",
        "a b",
        "a;b",
        " a",
        "a\t,\tb ",
        "websocket/13, h2c",
        "a/",
        "/",
        "a,/b",
        "é",
    ],
)
@pytest.mark.parametrize("name", ["parse_subprotocol", "parse_connection", "parse_upgrade"])
def test_lists_are_read_as_in_websockets(name: str, header: str) -> None:
    def outcome(library: Any) -> Any:
        try:
            return getattr(library.headers, name)(header)
        except library.InvalidHeaderFormat as error:
            return str(error)

    assert outcome(itoden) == outcome(websockets)


def test_lists_are_written_as_in_websockets() -> None:
    names = ["chat", "superchat"]
    assert itoden.headers.build_subprotocol(names) == "chat, superchat"
    assert itoden.headers.parse_subprotocol("chat, superchat") == names


def test_only_strings_and_numbers_are_headers() -> None:
    for value in (None, b"a", ["a"]):
        with pytest.raises(TypeError, match="must be str"):
            itoden.Headers([("X", value)])  # type: ignore[list-item]
    with pytest.raises(TypeError, match="at most 1"):
        itoden.Headers({}, {})


def test_what_most_fields_hold_is_kept_once_for_all_connections() -> None:
    def fresh(text: str) -> str:
        return text.encode().decode()

    one, other = (
        itoden.Headers([(fresh("Upgrade"), fresh("websocket")), ("X-Own", "a b")]) for _ in range(2)
    )
    for first, second in zip(next(one.raw_items()), next(other.raw_items()), strict=True):
        assert first is second
    assert list(one.raw_items()) == [("Upgrade", "websocket"), ("X-Own", "a b")]
