"""The example of FastAPI, as its README starts it."""

from __future__ import annotations

import importlib.util
import json
from pathlib import Path
from typing import Any

import pytest

import itoden
from asgi import HTTPS, ITODEN, LOOPS, Place, refusal, run

APP = Path(__file__).resolve().parents[2] / "examples" / "fastapi" / "app.py"


def example() -> Any:
    spec = importlib.util.spec_from_file_location("example_app", APP)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module.app


@pytest.mark.parametrize("loop", LOOPS)
@pytest.mark.parametrize("http", HTTPS)
def test_everyone_in_a_room_hears_everyone(http: str, loop: str) -> None:
    async def scenario(place: Place) -> None:
        async def hears(connection: itoden.ClientConnection) -> str:
            event = json.loads(await connection.recv())
            return " ".join(event.values())

        async with place.serving(example()) as running:
            room = f"{running.uri}rooms/kitchen?name="
            async with itoden.connect(room + "Ada") as ada:
                assert await hears(ada) == "Ada came"
                async with itoden.connect(room + "Grace") as grace:
                    assert [await hears(ada), await hears(grace)] == ["Grace came"] * 2
                    await ada.send("hello")
                    assert [await hears(ada), await hears(grace)] == ["Ada said hello"] * 2
                    status, answer = await running.answer("GET /rooms HTTP/1.0\r\nHost: localhost\r\n\r\n")
                    assert (status, answer.endswith('{"kitchen":2}')) == (200, True)
                assert await hears(ada) == "Grace left"

    run(scenario, Place(ITODEN, http), loop)


def test_who_has_no_name_is_refused() -> None:
    async def scenario(place: Place) -> None:
        async with place.serving(example()) as running:
            assert (await refusal(place, running, "rooms/kitchen"))[0] == 403

    run(scenario, Place(ITODEN))
