"""Read how a task stands: one request to its provider, judged.

A provider whose result needs a second GET gets two requests, in two polls. The first reply is stored before
the second request is made, so that a crash between them loses nothing. Both obey the provider's limits.
"""

import random
from functools import partial

from notifier.byte_budget import ByteHold
from notifier.config.model import ProviderSettings
from notifier.core.exchange import Exchange
from notifier.core.formats.traceparent import SPAN_BITS, TRACEPARENT, child_traceparent
from notifier.core.model import Watch
from notifier.core.polling.completion import json_to_completion
from notifier.core.polling.judge_result import judge_result
from notifier.core.polling.poll_request import (
    PollRequest,
    TaskAddress,
    build_poll_request,
    build_result_request,
)
from notifier.core.polling.verdict import Finished, NotPolled, ResultPending, Verdict
from notifier.engine.judging import ReplyJudge
from notifier.ports import Clock, HttpClient
from notifier.store.protocol import Store


class TaskReader:
    """Sends the requests of polls and judges their replies."""

    def __init__(self, *, store: Store, clock: Clock, rng: random.Random, judge: ReplyJudge) -> None:
        self._store = store
        self._clock = clock
        self._rng = rng
        self._judge = judge

    async def read(
        self, http_client: HttpClient, watch: Watch, provider: ProviderSettings, memory: ByteHold
    ) -> Verdict:
        """Send the request that is due for a watch. Return what the reply means."""
        pending = await self._find_completion(watch, provider)
        if pending is not None:
            return await self._read_result(http_client, watch, provider, pending, memory)
        address = _address(watch)
        request = build_poll_request(provider.base_url, provider.description, address, provider.api_key)
        limits = (provider.description.max_body, memory)
        exchange = await self._send(http_client, watch, provider, request, limits)
        return await self._judge.judge(
            exchange, memory, task_id=watch.task_id, provider=provider, now=self._clock.now()
        )

    async def find_end(self, watch: Watch, verdict: NotPolled) -> NotPolled | ResultPending:
        """Return the verdict of a watch that reached its deadline while its provider is not polled.

        A task that has completed ends as completed, although its result could not be read.
        """
        text = None if watch.upstream_status is None else await self._store.completion(watch.id)
        if text is None:
            return verdict
        pending = json_to_completion(text)
        return ResultPending(pending.first, pending.values, verdict)

    async def _find_completion(self, watch: Watch, provider: ProviderSettings) -> ResultPending | None:
        """Return the stored first reply of a completed task; None where the poll is due."""
        description = provider.description
        if description.result is None or watch.upstream_status is None:
            return None
        text = await self._store.completion(watch.id)
        return None if text is None else json_to_completion(text)

    async def _read_result(
        self,
        http_client: HttpClient,
        watch: Watch,
        provider: ProviderSettings,
        pending: ResultPending,
        memory: ByteHold,
    ) -> Finished | ResultPending:
        description = provider.description
        result = description.result
        if result is None or pending.failure is not None:
            return pending
        request = build_result_request(
            provider.base_url, description, _address(watch), pending.values, provider.api_key
        )
        max_body = result.max_body or description.max_body
        exchange = await self._send(http_client, watch, provider, request, (max_body, memory))
        judge = partial(
            judge_result,
            exchange,
            pending.first,
            task_id=watch.task_id,
            description=description,
            key=provider.api_key,
            now=self._clock.now(),
        )
        verdict = await self._judge.run(judge, exchange, memory, max_body)
        if isinstance(verdict, Finished):
            return verdict
        return ResultPending(pending.first, pending.values, verdict)

    async def _send(
        self,
        http_client: HttpClient,
        watch: Watch,
        provider: ProviderSettings,
        request: PollRequest,
        limits: tuple[int, ByteHold],
    ) -> Exchange:
        max_body, memory = limits
        headers, timeout_ms = request.headers, provider.polling.request_timeout_ms
        if watch.traceparent is not None:
            headers[TRACEPARENT] = child_traceparent(watch.traceparent, self._rng.getrandbits(SPAN_BITS))
        if request.body is None:
            return await http_client.get(
                request.url, headers, timeout_ms=timeout_ms, max_body=max_body, memory=memory
            )
        return await http_client.query(
            request.url, headers, request.body, timeout_ms=timeout_ms, max_body=max_body, memory=memory
        )


def _address(watch: Watch) -> TaskAddress:
    return TaskAddress(watch.api_path, watch.task_id, watch.poll_origin)
