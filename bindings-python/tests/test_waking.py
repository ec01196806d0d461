"""A task that waits for a message runs within the callback of the transport that brings it."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import functools
import importlib
import inspect
import logging
import sys
from collections.abc import Callable, Coroutine
from typing import Any

import anyio
import pytest

import itoden
from asgi import LOOPS
from harness import BINARY, CLOSE, TEXT, both_ends, frame, raw_peer, until

TASKS = ["C"]
if sys.version_info < (3, 14):  # since then asyncio itself does not know which of Python's tasks runs
    TASKS.append("Python")
if sys.version_info >= (3, 12):
    TASKS.append("eager")


def python_task(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Any:
    tasks: Any = asyncio.tasks
    return tasks._PyTask(coro, loop=loop, **options)


def eager_task(loop: asyncio.AbstractEventLoop, coro: Any, *, eager_start: Any = True, **options: Any) -> Any:
    """As `asyncio.eager_task_factory()`, which before 3.13.3 refuses what uvloop gives it."""
    task: Any = asyncio.Task  # whose types in 3.11 have no eager_start
    return task(coro, loop=loop, eager_start=True, **options)


def on_loops(
    test: Callable[..., Coroutine[Any, Any, None]], kinds: list[str] = TASKS[:1]
) -> Callable[..., None]:
    """Runs a test on asyncio's loop and on uvloop, with kinds of tasks; what a callback raises fails it."""

    @pytest.mark.parametrize("loop", LOOPS)
    @pytest.mark.parametrize("kind", kinds)
    @functools.wraps(test)
    def run(*, loop: str, kind: str, **kwargs: Any) -> None:
        wrong: list[dict[str, Any]] = []

        async def limited() -> None:
            running = asyncio.get_running_loop()
            running.set_exception_handler(lambda _, context: wrong.append(context))
            if kind == "eager":
                running.set_task_factory(eager_task)
            elif kind == "Python":
                running.set_task_factory(python_task)
            async with asyncio.timeout(30):
                await test(**kwargs)

        factory = importlib.import_module("uvloop").new_event_loop if loop == "uvloop" else None
        with asyncio.Runner(debug=False, loop_factory=factory) as runner:
            runner.run(limited())
        assert wrong == []

    # pytest looks for the names of parameters here.
    names = [*inspect.signature(test).parameters, "loop", "kind"]
    parameters = [inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY) for name in names]
    vars(run)["__signature__"] = inspect.Signature(parameters)
    shown: Callable[..., None] = run
    return shown


def with_tasks_of_asyncio(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    return on_loops(test, [kind for kind in TASKS if kind != "Python"])


def with_all_tasks(test: Callable[..., Coroutine[Any, Any, None]]) -> Callable[..., None]:
    return on_loops(test, TASKS)


def feed(connection: itoden.Connection, *messages: bytes) -> None:
    """Does what the transport of a client does when it has read these messages."""
    data = b"".join(frame(TEXT, message, masked=False) for message in messages)
    connection.get_buffer(-1)[: len(data)] = data
    connection.buffer_updated(len(data))


async def in_a_callback(*calls: Callable[[], object], context: contextvars.Context | None = None) -> None:
    """Has the loop call functions, as it calls transports: while no task runs."""
    done = asyncio.get_running_loop().create_future()

    def run() -> None:
        try:
            for call in calls:
                call()
            done.set_result(None)
        except BaseException as error:
            done.set_exception(error)

    asyncio.get_running_loop().call_soon(run, context=context)
    await done


async def waiting(coroutine: Coroutine[Any, Any, Any], **options: Any) -> asyncio.Task[Any]:
    """A task that has come to where it waits for a message."""
    task = asyncio.get_running_loop().create_task(coroutine, **options)
    for _ in range(3):
        await asyncio.sleep(0)
    return task


# When it runs.


@with_tasks_of_asyncio
async def test_a_task_that_waits_has_its_message_when_the_callback_returns() -> None:
    async with raw_peer("client") as (connection, _):
        got: list[object] = []

        async def receive() -> None:
            while True:
                got.append(await connection.recv())

        async def iterate() -> None:
            async for message in connection:
                got.append(message)

        for receiver in (receive, iterate):
            task = await waiting(receiver())
            for _ in range(3):
                await in_a_callback(lambda: feed(connection, b"hello"), lambda: got.append("returned"))
            assert got == ["hello", "returned"] * 3
            got.clear()
            task.cancel()
            await asyncio.wait([task])


@with_tasks_of_asyncio
async def test_all_messages_of_one_read_are_taken_in_one_turn_and_in_order() -> None:
    async with raw_peer("client") as (connection, _):
        got: list[object] = []

        async def receive() -> None:
            async for message in connection:
                got.append(message)

        task = await waiting(receive())
        await in_a_callback(lambda: feed(connection, b"1", b"2", b"3"), lambda: got.append("returned"))
        assert got == ["1", "2", "3", "returned"]
        task.cancel()


@with_all_tasks
async def test_while_another_task_runs_it_is_left_to_the_loop() -> None:
    async with raw_peer("client") as (connection, _):
        task = await waiting(connection.recv())
        feed(connection, b"hello")  # this test is a task
        assert not task.done()
        assert await task == "hello"


@on_loops
async def test_a_task_of_another_class_is_left_to_the_loop() -> None:
    async with raw_peer("client") as (connection, _):
        task = python_task(asyncio.get_running_loop(), connection.recv())
        await asyncio.sleep(0)
        done: list[bool] = []
        await in_a_callback(lambda: feed(connection, b"hello"), lambda: done.append(task.done()))
        assert done == [False]
        assert await task == "hello"


@on_loops
async def test_who_waits_for_the_end_is_left_to_the_loop() -> None:
    async with raw_peer("client") as (connection, _):
        task = await waiting(connection.recv())
        ended: list[bool] = []
        await in_a_callback(lambda: connection.eof_received(), lambda: ended.append(task.done()))
        assert ended == [False]
        with pytest.raises(itoden.ConnectionClosedError):
            await task


@on_loops
async def test_a_message_in_fragments_wakes_its_task_once_it_is_whole() -> None:
    async with raw_peer("client") as (connection, peer):
        task = await waiting(connection.recv())
        peer.send(TEXT, b"hel", fin=False)
        await asyncio.sleep(0.01)
        assert not task.done()
        peer.send(0, b"lo")
        assert await task == "hello"
        # After recv_streaming() fragments wake, of which recv() needs the last.
        peer.send(TEXT, b"a", fin=True)
        assert [part async for part in connection.recv_streaming()] == ["a"]
        task = await waiting(connection.recv())
        peer.send(BINARY, b"1", fin=False)
        await until(lambda: connection._queued == 0)
        peer.send(0, b"2", fin=False)
        await asyncio.sleep(0.01)
        assert not task.done()
        peer.send(0, b"3")
        assert await task == b"123"


@on_loops
async def test_within_the_context_of_the_task_it_is_left_to_the_loop() -> None:
    async with raw_peer("client") as (connection, _):
        context = contextvars.copy_context()
        task = await waiting(connection.recv(), context=context)
        await in_a_callback(lambda: feed(connection, b"hello"), context=context)
        assert await task == "hello"


@pytest.mark.parametrize("loop", LOOPS)
def test_in_debug_mode_the_loop_runs_the_task_and_tells_which_was_slow(
    loop: str, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario() -> None:
        asyncio.get_running_loop().slow_callback_duration = 0.02
        async with raw_peer("client") as (connection, peer):

            async def slow() -> None:
                await connection.recv()
                import time

                time.sleep(0.05)  # noqa: ASYNC251 - that is what is to be noticed

            task = await waiting(slow(), name="the slow one")
            peer.send(TEXT, b"hello")
            await task

    factory = importlib.import_module("uvloop").new_event_loop if loop == "uvloop" else None
    with (
        caplog.at_level(logging.WARNING, "asyncio"),
        asyncio.Runner(debug=True, loop_factory=factory) as runner,
    ):
        runner.run(scenario())
    assert any("the slow one" in record.getMessage() for record in caplog.records)


# What it may do.


@with_all_tasks
async def test_it_may_send_and_what_it_sent_arrives() -> None:
    async with raw_peer("client") as (connection, peer):

        async def echo() -> None:
            async for message in connection:
                await connection.send(message)

        task = await waiting(echo())
        for number in range(100):
            peer.send(TEXT, b"%d" % number)
            assert await peer.receive() == (TEXT, b"%d" % number)
        task.cancel()


@with_all_tasks
async def test_it_may_close() -> None:
    async with raw_peer("client") as (connection, peer):

        async def close() -> None:
            await connection.recv()
            await connection.close(1001, "enough")

        task = await waiting(close())
        peer.send(TEXT, b"hello")
        assert await peer.receive_close() == (1001, "enough")
        peer.send(CLOSE, (1001).to_bytes(2))
        peer.end()
        await task


@with_all_tasks
async def test_it_may_abort_the_transport_that_is_just_calling() -> None:
    async with raw_peer("client") as (connection, peer):

        async def abort() -> None:
            await connection.recv()
            connection._abort()

        task = await waiting(abort())
        peer.send(TEXT, b"hello")
        await task
        await connection.wait_closed()
        assert connection.close_code == 1006


@with_all_tasks
async def test_it_may_raise_and_the_connection_goes_on() -> None:
    async with raw_peer("client") as (connection, peer):

        async def fail() -> None:
            await connection.recv()
            raise ZeroDivisionError

        for number in range(3):
            task = await waiting(fail())
            peer.send(TEXT, b"hello")
            with pytest.raises(ZeroDivisionError):
                await task
            peer.send(TEXT, b"%d" % number)
            assert await connection.recv() == str(number)


@with_all_tasks
async def test_it_may_start_tasks_and_wait_for_them() -> None:
    async with raw_peer("client") as (connection, peer):

        async def upper(message: Any) -> Any:
            await asyncio.sleep(0)
            return message.upper()

        async def receive() -> Any:
            async with asyncio.TaskGroup() as group:
                first = group.create_task(upper(await connection.recv()))
                second = group.create_task(upper(await connection.recv()))
            return first.result() + second.result()

        task = await waiting(receive())
        peer.send(TEXT, b"a")
        peer.send(TEXT, b"b")
        assert await task == "AB"


@with_all_tasks
async def test_two_connections_may_answer_each_other() -> None:
    async with both_ends() as (client, server):

        async def answer(connection: itoden.Connection) -> None:
            async for message in connection:
                if int(message) > 500:
                    break
                await connection.send(str(int(message) + 1))

        tasks = [await waiting(answer(client)), await waiting(answer(server))]
        await client.send("0")
        done, pending = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        assert len(done) == 1
        for task in pending:
            task.cancel()


@with_all_tasks
async def test_other_tasks_have_their_turns_while_messages_come() -> None:
    async with both_ends() as (client, server):
        turns = 0

        async def count() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        async def echo() -> None:
            async for message in server:
                await server.send(message)

        tasks = [await waiting(echo()), await waiting(count())]
        for _ in range(50):
            before = turns
            await client.send("hello")
            assert await client.recv() == "hello"
            assert turns > before
        for task in tasks:
            task.cancel()


@on_loops
async def test_the_task_runs_in_its_own_context_and_the_transport_in_its_own() -> None:
    variable = contextvars.ContextVar("variable", default="none")
    async with raw_peer("client") as (connection, _):
        seen: list[str] = []

        async def receive() -> None:
            variable.set("the task's")
            await connection.recv()
            seen.append(variable.get())
            variable.set("the task's, later")

        def call() -> None:
            feed(connection, b"hello")
            seen.append(variable.get())

        task = await waiting(receive())
        await in_a_callback(call)
        await task
        assert seen == ["the task's", "none"]


# Who gives up.


@with_all_tasks
async def test_a_message_that_comes_after_a_cancellation_is_not_lost() -> None:
    async with raw_peer("client") as (connection, _):
        for number in range(20):
            task = await waiting(connection.recv())

            def call(task: asyncio.Task[Any] = task, number: int = number) -> None:
                task.cancel()
                feed(connection, b"%d" % number)

            await in_a_callback(call)
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await connection.recv() == str(number)


@with_all_tasks
async def test_a_message_is_not_lost_when_its_task_is_cancelled_before_it_runs() -> None:
    async with raw_peer("client") as (connection, _):
        for number in range(20):
            task = await waiting(connection.recv())
            feed(connection, b"%d" % number)  # within a task: the loop is to run the other
            task.cancel("no more")
            with pytest.raises(asyncio.CancelledError):
                await task
            assert await connection.recv() == str(number)


@with_all_tasks
async def test_timeouts_and_messages_may_meet() -> None:
    async with both_ends() as (client, server):

        async def send() -> None:
            for number in range(200):
                await server.send(str(number))
                await asyncio.sleep(0.0005)

        sending = asyncio.create_task(send())
        got: list[int] = []
        while len(got) < 200:
            with contextlib.suppress(TimeoutError):
                got.append(int(await asyncio.wait_for(client.recv(), 0.0005)))
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(0.0005):
                    got.append(int(await client.recv()))
            with anyio.move_on_after(0.0005):
                got.append(int(await client.recv()))
        await sending
        assert got == list(range(200))


@with_all_tasks
async def test_a_group_that_fails_cancels_who_waits() -> None:
    async with raw_peer("client") as (connection, peer):

        async def fail() -> None:
            await asyncio.sleep(0)
            raise ZeroDivisionError

        async def together() -> None:
            async with asyncio.TaskGroup() as group:
                group.create_task(connection.recv())
                group.create_task(fail())

        with pytest.raises(ExceptionGroup):
            await together()
        peer.send(TEXT, b"hello")
        assert await connection.recv() == "hello"


@on_loops
async def test_the_message_of_a_cancellation_reaches_who_waited() -> None:
    async with raw_peer("client") as (connection, _):
        told: list[object] = []

        async def receive() -> None:
            try:
                await connection.recv()
            except asyncio.CancelledError as error:
                told.extend(error.args)
                raise

        task = await waiting(receive())
        task.cancel("for a reason")
        await asyncio.wait([task])
        assert told == ["for a reason"]


@pytest.mark.parametrize("raised", [KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("loop", LOOPS)
def test_what_ends_a_program_ends_the_loop_and_is_not_the_connections_fault(
    raised: type[BaseException], loop: str
) -> None:
    wrong: list[dict[str, Any]] = []

    async def scenario() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: wrong.append(context))
        async with raw_peer("client") as (connection, peer):

            async def end() -> None:
                await connection.recv()
                raise raised

            task = await waiting(end())
            peer.send(TEXT, b"hello")
            try:
                await asyncio.sleep(30)
            finally:
                assert connection.close_code is None
                assert isinstance(task.exception(), raised)

    factory = importlib.import_module("uvloop").new_event_loop if loop == "uvloop" else None
    with pytest.raises(raised), asyncio.Runner(debug=False, loop_factory=factory) as runner:
        runner.run(scenario())
    assert wrong == []
