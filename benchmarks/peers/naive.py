"""The script that one writes first: a coroutine for each task, one HTTP client, nothing kept."""

import asyncio
import sys

import httpx

from benchmarks.peers.job import INTERVAL_S, TIMEOUT_S, Provider, Task, each_registered, event_of, has_ended


async def main(upstream: str, key: str) -> None:
    """Watch what comes until stdin ends."""
    provider = Provider(upstream, key)
    watching: set[asyncio.Task[None]] = set()
    async with httpx.AsyncClient(timeout=TIMEOUT_S) as client:

        async def watch(task: Task) -> None:
            await asyncio.sleep(task.first_after_s)
            while True:
                try:
                    answer = (await client.get(provider.url(task.task_id), headers=provider.headers)).json()
                    if has_ended(answer):
                        await client.post(task.hook, json=event_of(task.task_id, answer))
                        return
                except httpx.HTTPError:
                    pass  # the next time, perhaps
                await asyncio.sleep(INTERVAL_S)

        async def take(task: Task) -> None:
            watched = asyncio.create_task(watch(task))
            watching.add(watched)
            watched.add_done_callback(watching.discard)

        await each_registered(take)


if __name__ == "__main__":
    asyncio.run(main(*sys.argv[1:3]))
