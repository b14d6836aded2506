"""Own the HTTP clients of the daemon. A reload replaces them; the old ones close after their exchanges."""

import asyncio
from collections.abc import Collection

from notifier.config.model import Config
from notifier.daemon import client_factory
from notifier.engine.background_tasks import BackgroundTasks
from notifier.ports import HttpClient


class HttpClients:
    """The clients for polls, callbacks and images. ``own`` lists the addresses of our own listener."""

    def __init__(self, config: Config, own: Collection[tuple[str, int]]) -> None:
        self._config = config
        self._own = own
        self._trusted = client_factory.load_callback_trust(config.callbacks)
        self._trusted_providers = client_factory.load_provider_trust(config)
        self._retired = BackgroundTasks()
        self.polls: HttpClient = client_factory.make_poll_client(config)
        self.callbacks: HttpClient = client_factory.make_callback_client(config.callbacks, own)
        self.images: HttpClient = client_factory.make_image_client(config.callbacks, own)

    def adopt(self, fresh: Config) -> None:
        """Replace the clients whose settings changed. If it raises NotifierError, it changed nothing."""
        trusted = client_factory.load_callback_trust(fresh.callbacks)
        trusted_providers = client_factory.load_provider_trust(fresh)
        old, self._config = self._config, fresh
        longest_ms = max(client_factory.longest_timeout_ms(old), client_factory.longest_timeout_ms(fresh))
        sizes = {client_factory.count_poll_connections(config) for config in (old, fresh)}
        if len(sizes) > 1 or trusted_providers != self._trusted_providers:
            self._trusted_providers = trusted_providers
            self._retire(self.polls, longest_ms)
            self.polls = client_factory.make_poll_client(fresh)
        if old.callbacks != fresh.callbacks or trusted is not self._trusted:
            self._retire(self.callbacks, longest_ms)
            self.callbacks = client_factory.make_callback_client(fresh.callbacks, self._own)
            self._retire(self.images, longest_ms)
            self.images = client_factory.make_image_client(fresh.callbacks, self._own)
            self._trusted = trusted

    async def close(self) -> None:
        """Close all clients, also replaced ones."""
        await self._retired.drain(0)
        for client in (self.polls, self.callbacks, self.images):
            await client.close()

    def _retire(self, client: HttpClient, longest_ms: int) -> None:
        """Close a client when the timeout of its last exchange is over."""

        async def later() -> None:
            try:
                await asyncio.sleep(longest_ms / 1_000 + 1)
            finally:
                await client.close()

        self._retired.start(later(), name="retire a client")
