"""The page behind a proxy that speaks TLS for the daemon."""

import asyncio
import ssl
from asyncio import StreamReader, StreamWriter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

import pytest
import trustme

from tests.browser.stage import Stage
from tests.browser.test_page import ROWS, shown

pytestmark = pytest.mark.e2e


@asynccontextmanager
async def tls_proxy(port: int) -> AsyncIterator[str]:
    """Speak TLS, and hand all that comes on to ``port`` as it is."""
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    trustme.CA().issue_cert("127.0.0.1").configure_cert(context)

    async def serve(reader: StreamReader, writer: StreamWriter) -> None:
        inner_reader, inner_writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.gather(_pass_on(reader, inner_writer), _pass_on(inner_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    async with server:
        yield f"https://127.0.0.1:{server.sockets[0].getsockname()[1]}"


async def _pass_on(reader: StreamReader, writer: StreamWriter) -> None:
    with suppress(OSError):
        while part := await reader.read(65_536):
            writer.write(part)
            await writer.drain()
        writer.close()


async def test_the_page_works_behind_a_proxy_that_speaks_tls(stage: Stage) -> None:
    """Its buttons do, and the command that it teaches goes through the proxy as well."""
    async with tls_proxy(int(stage.daemon.url.rpartition(":")[2])) as url:
        stage.daemon.url, direct = url, stage.daemon.url
        page = await stage.page(ignore_https_errors=True)
        await page.wait_for_selector("#connection.live")
        assert f"curl -X POST {url}/v1/watches" in await shown(page, "#watches ~ div pre")
        stage.daemon.url = direct
        watch = await stage.task(600)
        await page.wait_for_selector(f"{ROWS} .watching")
        await page.get_by_role("button", name=f"poll now {watch['task_id']}").click()
        await page.wait_for_selector("#said:has-text('is polled now')")
        await page.context.close()
