"""What a task awaits in `recv()`, seen by those who are no task of asyncio's: like a future."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import pytest

import itoden
from harness import TEXT, raw_peer
from itoden._native import MessageWaiter
from test_waking import feed, in_a_callback, on_loops, waiting, with_all_tasks


@with_all_tasks
async def test_a_task_that_waits_shows_where() -> None:
    async with raw_peer("client") as (connection, _):
        task = await waiting(connection.recv())
        assert "wait_for=<MessageWaiter pending>" in repr(task)
        assert [frame.f_code.co_name for frame in task.get_stack()] == ["recv"]
        task.cancel()
        assert "wait_for=<MessageWaiter cancelled>" in repr(task)
        await asyncio.wait([task])


async def _driven(
    play: Callable[[itoden.Connection, MessageWaiter], Awaitable[Any]],
) -> tuple[itoden.Connection, Any]:
    async with raw_peer("client") as (connection, _):
        receiving = connection.recv()
        waiter = receiving.send(None)
        assert isinstance(waiter, MessageWaiter)
        result = await play(connection, waiter)
        try:
            receiving.send(None)
        except StopIteration as stopped:
            return connection, (result, stopped.value)
        raise AssertionError("it waits still")


@on_loops
async def test_a_coroutine_may_be_driven_without_a_task() -> None:
    told: list[object] = []

    async def play(connection: itoden.Connection, waiter: MessageWaiter) -> None:
        assert asyncio.isfuture(waiter)
        assert waiter._asyncio_future_blocking
        assert waiter.get_loop() is asyncio.get_running_loop()
        for undecided in (waiter.result, waiter.exception):
            with pytest.raises(asyncio.InvalidStateError):
                undecided()
        waiter.add_done_callback(told.append)
        waiter.add_done_callback(told.append)
        assert waiter.remove_done_callback(told.append) == 2
        waiter.add_done_callback(told.append)
        await in_a_callback(lambda: feed(connection, b"hello"))
        assert waiter.done()
        assert not waiter.cancelled()
        assert not waiter.cancel()
        assert waiter.result() is waiter.exception() is None
        with pytest.raises(asyncio.InvalidStateError):
            waiter.set_result(None)
        await asyncio.sleep(0)
        assert told == [waiter]
        waiter.add_done_callback(told.append)
        await asyncio.sleep(0)
        assert told == [waiter, waiter]
        assert repr(waiter) == "<MessageWaiter finished>"

    _, (_, message) = await _driven(play)
    assert message == "hello"


@on_loops
async def test_going_on_before_a_message_is_there_is_an_error() -> None:
    async with raw_peer("client") as (connection, peer):
        receiving = connection.recv()
        receiving.send(None)
        with pytest.raises(RuntimeError, match="await wasn't used with future"):
            receiving.send(None)
        peer.send(TEXT, b"hello")
        assert await connection.recv() == "hello"


@on_loops
async def test_a_coroutine_that_is_closed_leaves_the_connection_to_others() -> None:
    async with raw_peer("client") as (connection, peer):
        receiving = connection.recv()
        receiving.send(None)
        receiving.close()
        peer.send(TEXT, b"hello")
        assert await connection.recv() == "hello"


@on_loops
async def test_a_task_of_another_loop_is_refused() -> None:
    async with raw_peer("client") as (connection, peer):

        def elsewhere() -> None:
            with pytest.raises(RuntimeError, match="attached to a different loop"):
                asyncio.run(connection.recv())

        await asyncio.to_thread(elsewhere)
        peer.send(TEXT, b"hello")
        assert await connection.recv() == "hello"
