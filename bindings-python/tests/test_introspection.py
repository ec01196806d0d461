"""What asyncio tells about tasks that wait for messages, and what others see of them meanwhile."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
from typing import Any

from harness import TEXT, raw_peer
from test_waking import feed, in_a_callback, on_loops, waiting, with_tasks_of_asyncio


@with_tasks_of_asyncio
async def test_a_task_that_runs_at_once_is_the_current_one_as_long_as_it_runs() -> None:
    async with raw_peer("client") as (connection, _):
        seen: list[object] = []

        async def receive() -> None:
            for _ in range(2):
                await connection.recv()
                seen.append(asyncio.current_task())

        task = await waiting(receive())
        for _ in range(2):
            await in_a_callback(
                lambda: seen.append(asyncio.current_task()),
                lambda: feed(connection, b"hello"),
                lambda: seen.append(asyncio.current_task()),
            )
        assert seen == [None, task, None] * 2
        assert task.done()


@with_tasks_of_asyncio
async def test_a_task_is_among_all_tasks_until_it_is_done() -> None:
    async with raw_peer("client") as (connection, _):
        seen: list[bool] = []

        async def receive() -> None:
            await connection.recv()
            seen.append(asyncio.current_task() in asyncio.all_tasks())

        task = await waiting(receive())
        assert task in asyncio.all_tasks()
        loop = asyncio.get_running_loop()
        await in_a_callback(
            lambda: feed(connection, b"hello"), lambda: seen.append(task in asyncio.all_tasks(loop))
        )
        assert seen == [True, False]


@on_loops
async def test_other_threads_may_ask_which_tasks_there_are() -> None:
    loop = asyncio.get_running_loop()
    async with raw_peer("client") as (connection, peer):
        over = threading.Event()
        seen: set[bool] = set()

        async def echo() -> None:
            async for message in connection:
                await connection.send(message)

        task = await waiting(echo())

        def look() -> None:
            while not over.is_set():
                seen.add(task in asyncio.all_tasks(loop))

        looking = [asyncio.create_task(asyncio.to_thread(look)) for _ in range(2)]
        for number in range(200):
            peer.send(TEXT, b"%d" % number)
            assert await peer.receive() == (TEXT, b"%d" % number)
        over.set()
        await asyncio.gather(*looking)
        assert seen == {True}
        task.cancel()


@on_loops
async def test_tasks_of_several_threads_do_not_meet() -> None:
    """Each thread has its own loop, and so its own current task."""

    async def exchange() -> None:
        async with raw_peer("client") as (connection, peer):

            async def echo() -> None:
                async for message in connection:
                    assert asyncio.current_task() is task
                    await connection.send(message)

            task = await waiting(echo())
            for number in range(100):
                peer.send(TEXT, b"%d" % number)
                assert await peer.receive() == (TEXT, b"%d" % number)
            task.cancel()

    await asyncio.gather(*(asyncio.to_thread(asyncio.run, exchange()) for _ in range(3)), exchange())


if sys.version_info >= (3, 12):

    @on_loops
    async def test_an_eager_task_takes_a_message_that_is_there_before_the_call_that_made_it_returns() -> None:
        async with raw_peer("client") as (connection, _):
            feed(connection, b"1", b"2")
            loop = asyncio.get_running_loop()
            task: asyncio.Task[Any] = asyncio.Task(connection.recv(), loop=loop, eager_start=True)
            assert task.done()
            assert (task.result(), await connection.recv()) == ("1", "2")

    @on_loops
    async def test_an_eager_task_may_be_started_by_one_that_runs_at_once() -> None:
        async with raw_peer("client") as (first, _), raw_peer("client") as (second, _):
            loop = asyncio.get_running_loop()
            got: list[object] = []

            async def inner() -> None:
                got.append(asyncio.current_task() is not outer_task)
                got.append(await second.recv())

            async def outer() -> asyncio.Task[None]:
                got.append(await first.recv())
                task = asyncio.Task(inner(), loop=loop, eager_start=True)
                # The other one waits, and this one goes on.
                got.append(asyncio.current_task() is outer_task)
                return task

            outer_task = await waiting(outer())
            await in_a_callback(
                lambda: feed(first, b"1"), lambda: feed(second, b"2"), lambda: got.append("returned")
            )
            assert got == ["1", True, True, "2", "returned"]
            assert outer_task.result().done()

    @on_loops
    async def test_while_an_eager_task_starts_another_is_left_to_the_loop() -> None:
        async with raw_peer("client") as (connection, _):
            loop = asyncio.get_running_loop()
            task = await waiting(connection.recv())
            done: list[bool] = []

            async def bring() -> None:
                feed(connection, b"hello")
                done.append(task.done())

            await in_a_callback(lambda: asyncio.Task(bring(), loop=loop, eager_start=True))
            assert done == [False]
            assert await task == "hello"


if sys.version_info >= (3, 14):

    @on_loops
    async def test_tasks_may_be_started_eagerly_and_not_each_by_itself() -> None:
        async with raw_peer("client") as (connection, _):
            for factory in (None, asyncio.eager_task_factory):
                asyncio.get_running_loop().set_task_factory(factory)
                feed(connection, b"1", b"2")
                eager = asyncio.create_task(connection.recv(), eager_start=True)
                assert eager.done()
                later = asyncio.create_task(connection.recv(), eager_start=False)
                assert not later.done()
                assert (await eager, await later) == ("1", "2")

    @on_loops
    async def test_the_call_graph_leads_from_who_waits_for_the_task_to_where_that_waits() -> None:
        async with raw_peer("client") as (connection, _):

            async def receive() -> None:
                async for _ in connection:
                    break

            async def parent() -> None:
                async with asyncio.TaskGroup() as group:
                    group.create_task(receive(), name="receives")

            waits = await waiting(parent())
            (task,) = (task for task in asyncio.all_tasks() if task.get_name() == "receives")
            graph = asyncio.capture_call_graph(task)
            assert graph is not None
            assert [entry.frame.f_code.co_name for entry in graph.call_stack] == ["__anext__", "receive"]
            assert [by.future for by in graph.awaited_by] == [waits]
            feed(connection, b"hello")
            await waits

    @on_loops
    async def test_the_call_graph_of_a_task_that_runs_at_once_is_its_own() -> None:
        async with raw_peer("client") as (connection, _):
            graphs: list[Any] = []
            printed = io.StringIO()

            async def inner() -> None:
                await connection.recv()
                graphs.append(asyncio.capture_call_graph())
                asyncio.print_call_graph(file=printed)

            async def outer() -> None:
                await inner()

            task = await waiting(outer())
            await in_a_callback(lambda: feed(connection, b"hello"))
            (graph,) = graphs
            assert graph.future is task
            assert [entry.frame.f_code.co_name for entry in graph.call_stack] == ["inner", "outer"]
            assert "inner()" in printed.getvalue()
            assert "buffer_updated" not in printed.getvalue()
