"""The clients that the daemon holds, through reloads: a replaced one is closed after its last exchange."""

import asyncio
from collections.abc import Collection

from notifier.config.model import Config
from notifier.daemon import client_factory
from notifier.engine.background_tasks import BackgroundTasks
from notifier.ports import HttpClient


class HttpClients:
    """One for polls, one for callbacks, one for pictures. ``own`` is where we listen ourselves."""

    def __init__(self, config: Config, own: Collection[tuple[str, int]]) -> None:
        self._config = config
        self._own = own
        self._trusted = client_factory.callback_trust(config.callbacks)
        self._retired = BackgroundTasks()
        self.polls: HttpClient = client_factory.poll_wire(config)
        self.callbacks: HttpClient = client_factory.callback_wire(config.callbacks, own)
        self.pictures: HttpClient = client_factory.picture_wire(config.callbacks, own)

    def adopt(self, fresh: Config) -> None:
        """Replace those made from what has changed; where that raises NotifierError nothing has changed."""
        trusted = client_factory.callback_trust(fresh.callbacks)
        old, self._config = self._config, fresh
        longest_ms = max(client_factory.longest_ms(old), client_factory.longest_ms(fresh))
        if client_factory.poll_connections(old) != client_factory.poll_connections(fresh):
            self._retire(self.polls, longest_ms)
            self.polls = client_factory.poll_wire(fresh)
        if old.callbacks != fresh.callbacks or trusted is not self._trusted:
            self._retire(self.callbacks, longest_ms)
            self.callbacks = client_factory.callback_wire(fresh.callbacks, self._own)
            self._retire(self.pictures, longest_ms)
            self.pictures = client_factory.picture_wire(fresh.callbacks, self._own)
            self._trusted = trusted

    async def close(self) -> None:
        """Close all, also those that wait for their last exchange."""
        await self._retired.drain(0)
        for wire in (self.polls, self.callbacks, self.pictures):
            await wire.close()

    def _retire(self, wire: HttpClient, longest_ms: int) -> None:
        """Close a client once its last exchange, begun by the old settings or the new, has ended."""

        async def later() -> None:
            try:
                await asyncio.sleep(longest_ms / 1_000 + 1)
            finally:
                await wire.close()

        self._retired.start(later(), name="retire a client")
