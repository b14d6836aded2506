"""The script that one writes first: a coroutine for each task, one HTTP client, nothing kept."""

import asyncio
import sys

import httpx

from benchmarks.peers.job import INTERVAL_S, TIMEOUT_S, Provider, each_registered, event_of, has_ended


async def main(upstream: str, key: str) -> None:
    """Watch what comes until stdin ends."""
    provider = Provider(upstream, key)
    watching: set[asyncio.Task[None]] = set()
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:

        async def watch(task_id: str, hook: str) -> None:
            while True:
                await asyncio.sleep(INTERVAL_S)
                try:
                    answer = (await client.get(provider.url(task_id), headers=provider.headers)).json()
                    if has_ended(answer):
                        await client.post(hook, json=event_of(task_id, answer))
                        return
                except httpx.HTTPError:
                    continue  # the next time, perhaps

        async def take(task_id: str, hook: str) -> None:
            task = asyncio.create_task(watch(task_id, hook))
            watching.add(task)
            task.add_done_callback(watching.discard)

        await each_registered(take)
        await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
