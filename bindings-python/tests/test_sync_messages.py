"""Messages in threads, mirrored: what `websockets.sync` and itoden.sync give, take and refuse."""

from __future__ import annotations

import threading
from typing import Any

import pytest

import itoden
from itoden._native import give_buffer_back
from sync_parity import LIBRARIES, both_ends, echo, limited, raised, same, serving, threaded

MESSAGES = ["", "Hello", "grüße 🎉", b"", b"\x00\xff", "x" * 200_000, b"y" * 200_000]


def test_messages_of_all_sizes_go_there_and_back() -> None:
    def scenario(library: Any) -> Any:
        with serving(library, echo) as uri, library.connect(uri, max_size=None) as connection:
            back = []
            for message in MESSAGES:
                connection.send(message)
                back.append(connection.recv())
            return back == MESSAGES

    assert same(scenario)


@pytest.mark.parametrize("compression", ["deflate", None])
@pytest.mark.parametrize("sent", [bytearray(b"abc"), memoryview(b"abc"), "abc", b"abc"])
@pytest.mark.parametrize("text", [None, True, False])
@pytest.mark.parametrize("decode", [None, True, False])
def test_types_that_are_sent_and_received(
    sent: Any, text: bool | None, decode: bool | None, compression: str | None
) -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library, {"compression": compression}) as (client, server):
            client.send(sent, text=text)
            return server.recv(decode=decode)

    same(scenario)


@pytest.mark.parametrize(
    "fragments",
    [["a", "b", "é"], [b"a", b"b"], iter(["one"]), (part for part in (b"x", bytearray(b"y"))), []],
)
@pytest.mark.parametrize("text", [None, True, False])
def test_an_iterable_is_sent_in_fragments(fragments: Any, text: bool | None) -> None:
    items = list(fragments)

    def scenario(library: Any) -> Any:
        with both_ends(library) as (client, server):
            client.send(iter(items), text=text)
            client.send("end")
            return [server.recv(), server.recv()] if items else server.recv()

    same(scenario)


@pytest.mark.parametrize("decode", [None, True, False])
@pytest.mark.parametrize("sent", [["on", "e", " two"], [b"on", b"e"], "whole", b"whole"])
def test_recv_streaming_gives_fragments(sent: Any, decode: bool | None) -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library) as (client, server):
            client.send(sent)
            kinds = list(server.recv_streaming(decode=decode))
            client.send("after")
            empty = kinds[0][:0]
            return empty.join(kinds), server.recv()

    same(scenario)


def test_fragments_come_one_by_one_before_the_message_has_ended() -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library) as (client, server):
            go_on = threading.Event()

            def fragments() -> Any:
                yield "first"
                assert go_on.wait(10)
                yield "second"

            streamed = server.recv_streaming()
            sending = threading.Thread(target=client.send, args=(fragments(),))
            seen: list[str] = []

            def read() -> None:
                for fragment in streamed:
                    seen.append(fragment)
                    go_on.set()

            reading = threading.Thread(target=read)
            reading.start()
            sending.start()
            sending.join()
            reading.join()
            return [fragment for fragment in seen if fragment]

    assert same(scenario) == ["first", "second"]


@pytest.mark.parametrize("timeout", [0, -1, 0.05])
def test_recv_that_is_not_answered_in_time_loses_nothing(timeout: float) -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library) as (client, server):
            late = raised(server.recv, timeout)
            client.send("now")
            return late[0], server.recv(timeout=20)

    same(scenario)


def test_the_message_of_a_timeout_says_how_long_it_was() -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library) as (_, server):
            return raised(server.recv, 0.1)

    assert same(scenario) == ("TimeoutError", "timed out in 0.1s")


def test_iteration_ends_with_the_connection() -> None:
    def scenario(library: Any) -> Any:
        def three(connection: Any) -> None:
            for number in range(3):
                connection.send(str(number))

        with serving(library, three) as uri, library.connect(uri) as connection:
            return list(connection)

    assert same(scenario) == ["0", "1", "2"]


def test_iteration_raises_when_the_connection_ends_otherwise() -> None:
    def scenario(library: Any) -> Any:
        def fails(connection: Any) -> None:
            connection.close(1011, "oops")

        with serving(library, fails) as uri, library.connect(uri) as connection:
            return raised(list, connection)

    same(scenario)


@pytest.mark.parametrize("message", [None, 17, {"a": "b"}, [17], object()])
def test_what_is_no_message_is_refused(message: Any) -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library) as (client, _):
            return raised(client.send, message)[0]

    same(scenario)


def test_fragments_of_two_types_end_the_connection() -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library) as (client, server):
            kind = raised(client.send, ["a", b"b"])[0]
            with pytest.raises(library.top.ConnectionClosed) as closed:
                server.recv()
            return kind, closed.value.rcvd.code, closed.value.rcvd.reason

    assert same(scenario) == ("TypeError", 1011, "error in fragmented message")


def test_an_iterable_that_fails_ends_the_connection() -> None:
    def scenario(library: Any) -> Any:
        def broken() -> Any:
            yield "a"
            raise KeyError("gone")

        with both_ends(library) as (client, server):
            kind = raised(client.send, broken())
            with pytest.raises(library.top.ConnectionClosed) as closed:
                server.recv()
            return kind, closed.value.rcvd.code

    same(scenario)


@pytest.mark.parametrize("method", ["recv", "recv_streaming"])
def test_two_threads_can_not_receive_at_once(method: str) -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library) as (client, server):
            waiting = threading.Thread(target=server.recv)
            waiting.start()
            while True:  # until the thread waits
                try:
                    server.recv(timeout=0)
                except TimeoutError:
                    continue
                except library.top.ConcurrencyError:
                    break
            refused = (
                raised(server.recv) if method == "recv" else raised(lambda: list(server.recv_streaming()))
            )
            client.send("done")
            waiting.join()
            return refused

    same(scenario)


def test_a_stream_that_was_left_keeps_others_from_receiving() -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library) as (client, server):
            streamed = server.recv_streaming()
            client.send(["a", "b", "c"])
            next(streamed)
            return raised(server.recv)

    def itoden_scenario() -> Any:
        library = LIBRARIES["itoden"]
        with both_ends(library) as (client, server):
            streamed = server.recv_streaming()
            # Begun before the message is sent: it is taken fragment by fragment.
            sending = threading.Timer(0.05, client.send, (["a", "b", "c"],))
            sending.start()
            next(streamed)
            return raised(server.recv)

    assert limited(itoden_scenario) == limited(scenario, LIBRARIES["websockets"])


def test_nothing_is_sent_between_the_fragments_of_another_thread() -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library) as (client, server):
            begun, go_on = threading.Event(), threading.Event()

            def fragments() -> Any:
                yield "a"
                begun.set()
                assert go_on.wait(10)
                yield "b"

            sending = threading.Thread(target=client.send, args=(fragments(),))
            sending.start()
            assert begun.wait(10)
            refused = raised(client.send, "c"), raised(client.send, ["d"])
            go_on.set()
            sending.join()
            return refused, server.recv()

    same(scenario)


def test_text_that_is_not_utf_8_closes_with_1007() -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library) as (client, server):
            client.send(b"\xff")
            refused = raised(server.recv, decode=True)
            client.wait_closed()
            return refused, client.close_code, client.close_reason

    same(scenario)


@pytest.mark.parametrize("limit", [10, (None, 10), (10, None), (10, 5)])
def test_a_message_beyond_max_size_closes_with_1009(limit: Any) -> None:
    def scenario(library: Any) -> Any:
        with both_ends(library, server={"max_size": limit, "compression": None}) as (client, server):
            client.send("x" * 11)
            with pytest.raises(library.top.ConnectionClosedError) as closed:
                server.recv()
            return closed.value.sent.code, type(closed.value.__cause__).__name__

    assert same(scenario) == (1009, "PayloadTooBig")


@threaded
def test_many_threads_send_and_every_message_arrives_whole() -> None:
    with both_ends(LIBRARIES["itoden"], {"max_queue": None}, {"max_queue": None}) as (client, server):

        def send(number: int) -> None:
            for _ in range(200):
                client.send(f"{number}" * 2000)

        threads = [threading.Thread(target=send, args=(number,)) for number in range(4)]
        for thread in threads:
            thread.start()
        received = [server.recv() for _ in range(800)]
        for thread in threads:
            thread.join()
        assert sorted(received) == sorted(str(number) * 2000 for number in range(4) for _ in range(200))


@threaded
def test_a_sender_waits_for_a_peer_that_does_not_read_and_goes_on_when_it_does() -> None:
    with both_ends(LIBRARIES["itoden"], {"compression": None}) as (client, server):
        sent = []

        def send() -> None:
            for number in range(300):
                client.send(bytes([number % 256]) * 100_000)
                sent.append(number)

        sending = threading.Thread(target=send)
        sending.start()
        received = [server.recv()[0] for _ in range(300)]
        sending.join()
        assert received == [number % 256 for number in range(300)]


@threaded
def test_both_ends_send_much_without_reading_meanwhile() -> None:
    with both_ends(LIBRARIES["itoden"], {"compression": None}, {"compression": None}) as (client, server):
        message = b"z" * 1_000_000
        sending = [
            threading.Thread(target=end.send, args=(message,)) for end in (client, server) for _ in range(8)
        ]
        for thread in sending:
            thread.start()
        received = [0, 0]

        def take(end: itoden.sync.connection.Connection, index: int) -> None:
            for _ in range(8):
                received[index] += len(end.recv())

        taking = [threading.Thread(target=take, args=(end, at)) for at, end in enumerate((client, server))]
        for thread in [*taking]:
            thread.start()
        for thread in [*taking, *sending]:
            thread.join()
        assert received == [8_000_000, 8_000_000]


@threaded
def test_threads_that_take_turns_share_a_read_buffer() -> None:
    seen: dict[int, object] = {}  # kept, so that no number comes twice

    def read(end: itoden.sync.connection.Connection) -> None:
        end.recv()
        buffer = end.get_buffer(-1).obj
        seen[id(buffer)] = buffer
        give_buffer_back()

    with both_ends(LIBRARIES["itoden"]) as (client, server):
        for number in range(10):
            client.send(str(number))
            thread = threading.Thread(target=read, args=(server,))
            thread.start()
            thread.join()
    assert len(seen) <= 3  # those of the threads that this test begins with, and no more
