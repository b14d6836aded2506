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
        self._trusted = client_factory.load_callback_trust(config.callbacks)
        self._retired = BackgroundTasks()
        self.polls: HttpClient = client_factory.make_poll_client(config)
        self.callbacks: HttpClient = client_factory.make_callback_client(config.callbacks, own)
        self.pictures: HttpClient = client_factory.make_image_client(config.callbacks, own)

    def adopt(self, fresh: Config) -> None:
        """Replace those made from what has changed; where that raises NotifierError nothing has changed."""
        trusted = client_factory.load_callback_trust(fresh.callbacks)
        old, self._config = self._config, fresh
        longest_ms = max(client_factory.longest_timeout_ms(old), client_factory.longest_timeout_ms(fresh))
        if client_factory.count_poll_connections(old) != client_factory.count_poll_connections(fresh):
            self._retire(self.polls, longest_ms)
            self.polls = client_factory.make_poll_client(fresh)
        if old.callbacks != fresh.callbacks or trusted is not self._trusted:
            self._retire(self.callbacks, longest_ms)
            self.callbacks = client_factory.make_callback_client(fresh.callbacks, self._own)
            self._retire(self.pictures, longest_ms)
            self.pictures = client_factory.make_image_client(fresh.callbacks, self._own)
            self._trusted = trusted

    async def close(self) -> None:
        """Close all, also those that wait for their last exchange."""
        await self._retired.drain(0)
        for client in (self.polls, self.callbacks, self.pictures):
            await client.close()

    def _retire(self, client: HttpClient, longest_ms: int) -> None:
        """Close a client once its last exchange, begun by the old settings or the new, has ended."""

        async def later() -> None:
            try:
                await asyncio.sleep(longest_ms / 1_000 + 1)
            finally:
                await client.close()

        self._retired.start(later(), name="retire a client")
