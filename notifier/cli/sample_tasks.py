"""Made-up tasks of providers, and the requests that ask for them, for the commands check and try."""

from notifier.config.model import ProviderSettings
from notifier.core.exchange import Exchange
from notifier.core.formats.task_urls import check_task_id
from notifier.core.formats.urls import InvalidUrl
from notifier.core.polling.poll_request import PollRequest, TaskAddress
from notifier.ports import HttpClient
from notifier.providers.catalogue import read_preset

UNKNOWN_TASK_ID = "00000000-0000-4000-8000-000000000000"
API_PATH = "/vendors/alibaba/v1/qwen-image-edit-max/generation"  # of MuleRouter; others may ignore it


def find_sample_task(provider: ProviderSettings) -> TaskAddress:
    """Return a task that does not exist, in the form of the provider's ids."""
    example = read_preset(provider.preset)["example"] if provider.preset else {}
    api_path = example.get("api_path", API_PATH)
    task_id = example.get("task_id", UNKNOWN_TASK_ID)
    if provider.preset in {"", "mulerouter"}:
        task_id = UNKNOWN_TASK_ID
    try:
        return TaskAddress(api_path, check_task_id(task_id, provider.description.id_signs))
    except InvalidUrl:  # the user's table allows fewer signs than the catalogue's
        return TaskAddress(api_path, UNKNOWN_TASK_ID)


async def send_request(
    client: HttpClient, provider: ProviderSettings, request: PollRequest, max_body: int
) -> Exchange:
    """Send a request to a provider as the daemon does."""
    timeout_ms = provider.polling.request_timeout_ms
    if request.body is None:
        return await client.get(request.url, request.headers, timeout_ms=timeout_ms, max_body=max_body)
    return await client.query(
        request.url, request.headers, request.body, timeout_ms=timeout_ms, max_body=max_body
    )
