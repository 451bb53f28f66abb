"""What a studio does by itself while it runs."""

import asyncio

import pytest

from sean.editing.pipeline import SEANPipeline
from sean.web import studio as studio_module
from sean.web.limits import Limits
from sean.web.studio import Studio


def test_it_forgets_unused_sessions_and_gives_their_memory_back(
    pipeline: SEANPipeline, monkeypatch: pytest.MonkeyPatch
) -> None:
    given_back = asyncio.Event()
    studio = Studio(pipeline, limits=Limits(idle_seconds=0.2), num_threads=1)

    async def live() -> None:
        loop = asyncio.get_running_loop()
        monkeypatch.setattr(studio_module, "give_back_freed_memory", lambda: loop.call_soon_threadsafe(given_back.set))
        await studio.begin(None)
        assert len(studio.store) == 1
        tidying = asyncio.create_task(studio.keep_tidy())
        async with asyncio.timeout(600):
            while len(studio.store):
                await asyncio.sleep(0.02)
            await given_back.wait()
        tidying.cancel()

    try:
        asyncio.run(live())
    finally:
        studio.close()
