"""What a service does by itself while it runs."""

import asyncio

import pytest

from sean.editing.pipeline import SEANPipeline
from sean.web import service as service_module
from sean.web.limits import Limits
from sean.web.service import Service


def test_it_forgets_unused_sessions_and_gives_their_memory_back(
    pipeline: SEANPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back = asyncio.Event()
    service = Service(pipeline, limits=Limits(idle_seconds=0.2), num_threads=1)

    async def live() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(service_module, "give_back_freed_memory", lambda: loop.call_soon_threadsafe(given_back.set))
        await service.begin(None)
        assert len(service.store) == 1
        tidying = asyncio.create_task(service.keep_tidy())
        async with asyncio.timeout(600):
            while len(service.store):
                await asyncio.sleep(0.02)
            await given_back.wait()
        tidying.cancel()

    try:
        asyncio.run(live())
    finally:
        service.close()
