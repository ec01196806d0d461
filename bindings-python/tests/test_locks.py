"""What runs when an object ends or is compared may use the connection that held it: nothing is locked."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import threading
import weakref
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import pytest

from harness import asynchronous
from itoden._native import AsyncConnection, ClientHandshake, MessageWaiter, give_buffer_back
from itoden.options import settings
from sync_parity import LIBRARIES
from test_sync_closing import raw_peer
from test_threads import in_threads


class Transport:
    """One that asks its connection when it ends."""

    def __init__(self, connection: AsyncConnection, told: list[Any]) -> None:
        self.connection = connection
        self.told = told

    def set_write_buffer_limits(self, high: int, low: int | None) -> None:
        pass

    def write(self, data: bytes) -> None:
        self.told.append(data)

    def abort(self) -> None:
        self.connection.connection_lost(None)

    def __del__(self) -> None:
        self.told.append(self.connection.transport)


class Loop:
    """What a connection needs of a loop here: nothing."""


def new_connection(*, server: bool) -> AsyncConnection:
    made = settings(
        server=server, max_size=None, close_timeout=None, max_queue=None, write_limit=32768, compression=None
    )
    return AsyncConnection(made, server)


def test_a_transport_that_another_takes_the_place_of_may_ask_its_connection() -> None:
    def attach() -> None:
        told: list[Any] = []
        connection = new_connection(server=True)
        connection._attach(Transport(connection, told), Loop())
        second = Transport(connection, [])
        connection._attach(second, Loop())
        assert told == [second]

    in_threads(attach)


def test_an_error_of_a_transport_that_is_lost_already_may_ask_its_connection() -> None:
    def fail() -> None:
        told: list[int] = []
        connection = new_connection(server=False)

        class AskingError(Exception):
            def __del__(self) -> None:
                told.append(connection._ready_state)

        class Failing(Transport):
            def write(self, data: bytes) -> None:
                self.connection.connection_lost(ConnectionResetError())
                raise AskingError

        transport = Failing(connection, [])
        connection._attach(transport, Loop())
        connection._start(ClientHandshake("localhost", "/", subprotocols=[], headers=[]))
        assert told == [3]

    in_threads(fail)


def test_a_listener_that_another_takes_the_place_of_may_ask_its_connection() -> None:
    def listen() -> None:
        told: list[int] = []
        connection = new_connection(server=False)

        class Heard:
            def __del__(self) -> None:
                told.append(connection._ready_state)

        for _ in range(2):
            others = dict.fromkeys(("on_ping", "on_pong", "on_close", "on_pause", "on_resume"))
            connection._listen(SimpleNamespace(on_message=Heard(), **others))
        assert told == [0]

    in_threads(listen)


def test_a_buffer_may_be_given_back_while_another_is_made() -> None:
    told: list[str] = []

    class Cycle:
        def __init__(self) -> None:
            self.me = self

        def __del__(self) -> None:
            give_buffer_back()
            told.append("given back")

    def take() -> None:
        connection.get_buffer(-1)

    def lend() -> None:
        Cycle()
        # Before 3.12 what is made in the buffer's making lets the garbage collector run.
        gc.set_threshold(1)
        gc.enable()
        connection.get_buffer(-1)
        gc.collect()

    connection = new_connection(server=False)
    before = gc.get_threshold()
    try:
        for _ in range(17):  # which takes all those that others gave back
            in_threads(take)
        gc.disable()
        in_threads(lend)
    finally:
        gc.set_threshold(*before)
        gc.enable()
    assert told == ["given back"]


def test_what_a_connection_holds_is_not_collected_while_threads_wait_for_its_lock() -> None:
    """The garbage collector looks several times. In between a thread may get the lock that it waits for."""
    connection, server = raw_peer(LIBRARIES["itoden"], ping_interval=None)
    over = threading.Event()

    def take() -> None:
        with contextlib.suppress(OSError):
            while server.sock.recv(1 << 20):
                pass

    def look() -> None:
        while not over.is_set():
            assert connection.latency == 0

    def send() -> None:
        # Nothing but the connection holds what stands for the pong, which never comes.
        pong = weakref.ref(connection.ping())
        try:
            for _ in range(1500):
                connection.send(bytes(20 << 10))
                gc.collect()
                assert pong() is not None
        finally:
            over.set()
            connection._abort()

    gc.collect()
    gc.freeze()  # so that a collection takes a fraction of a millisecond
    others = [[[number]] for number in range(2000)]
    try:
        in_threads(send, take, look, look)
    finally:
        gc.unfreeze()
        server.end()
    assert len(others) == 2000


def compared_with(compare: Callable[[], bool]) -> Any:
    class Compared:
        def __call__(self, waiter: MessageWaiter) -> None:
            raise AssertionError("it was removed")

        def __eq__(self, other: object) -> bool:
            return compare()

        __hash__ = None  # type: ignore[assignment]

    return Compared()


@asynchronous
async def test_callbacks_are_called_although_comparing_them_failed() -> None:
    waiter, told = new_waiter(), list[MessageWaiter]()
    waiter.add_done_callback(told.append)

    def fail() -> bool:
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        waiter.remove_done_callback(compared_with(fail))
    waiter.set_result(None)
    await asyncio.sleep(0)
    assert told == [waiter]


@asynchronous
async def test_callbacks_are_called_if_what_is_waited_for_comes_while_they_are_compared() -> None:
    waiter, told = new_waiter(), list[MessageWaiter]()
    waiter.add_done_callback(told.append)

    def settle() -> bool:
        waiter.set_result(None)
        return False

    assert waiter.remove_done_callback(compared_with(settle)) == 0
    await asyncio.sleep(0)
    assert told == [waiter]


@asynchronous
async def test_other_threads_may_settle_what_is_waited_for_once() -> None:
    """Its loop is told of it in this thread: with debug mode off, since that would notice."""
    loop = asyncio.get_running_loop()
    loop.set_debug(False)
    for _ in range(50):
        waiter, told, settled = new_waiter(), list[MessageWaiter](), list[bool]()

        def settle(waiter: MessageWaiter = waiter, settled: list[bool] = settled) -> None:
            settled.append(waiter.cancel())

        def change(waiter: MessageWaiter = waiter, told: list[MessageWaiter] = told) -> None:
            waiter.add_done_callback(told.append)
            waiter.remove_done_callback(print)

        in_threads(change, settle, settle, change)
        await asyncio.sleep(0)
        assert (sorted(settled), told) == ([False, True], [waiter, waiter])


def new_waiter() -> MessageWaiter:
    connection = new_connection(server=False)
    connection.connection_made(WriteOnly())
    waiter: Any = connection._wait_message()
    assert isinstance(waiter, MessageWaiter)
    return waiter


class WriteOnly(asyncio.Transport):
    """A transport that goes nowhere."""

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass
