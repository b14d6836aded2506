"""Find the task of a registration: by its ids, by the URL to poll, or in the reply to its submission."""

from collections.abc import Mapping
from typing import Any

from notifier.api.json_fields import FieldErrors, describe_unknown, read_text
from notifier.api.services import ApiSettings, RegistrationDefaults
from notifier.core.formats.task_urls import TaskPlace, check_api_path, check_task_id, split_task_url
from notifier.core.formats.urls import InvalidUrl
from notifier.core.polling.submit_reply import find_submitted_task, has_poll_url

MAX_PROVIDERS_NAMED = 10  # keeps the text of an error on a few lines

Members = Mapping[str, Any]


def parse_task(members: Members, settings: ApiSettings, errors: FieldErrors) -> TaskPlace | None:
    """Return the task that a registration is about; None with errors."""
    if "reply" in members:
        return _parse_reply(members, settings, errors)
    if "task_url" in members:
        return _parse_task_url(members, settings, errors)
    return _parse_ids(members, settings, errors)


def _parse_ids(members: Members, settings: ApiSettings, errors: FieldErrors) -> TaskPlace | None:
    provider = _parse_provider(members, settings, errors)
    template = None if provider is None else settings.providers[provider].place
    id_signs = "" if template is None else template.id_signs
    needs_api_path = template is None or template.needs_api_path
    api_path: str | None = ""
    if needs_api_path or "api_path" in members:
        api_path = read_text(members, "api_path", errors, check_api_path)
    task_id = read_text(members, "task_id", errors, lambda text: check_task_id(text, id_signs))
    if provider is None or api_path is None or task_id is None:
        return None
    return TaskPlace(provider, api_path if needs_api_path else "", task_id)


def _parse_task_url(members: Members, settings: ApiSettings, errors: FieldErrors) -> TaskPlace | None:
    doubled = [name for name in ("api_path", "task_id") if name in members]
    if doubled:
        errors.add("/task_url", f"contains api_path and task_id already; leave out {doubled[0]}")
    url = read_text(members, "task_url", errors)
    providers = _list_candidates(members, settings, errors)
    if url is None or providers is None:
        return None
    try:
        return split_task_url(url, {name: provider.place for name, provider in providers.items()})
    except InvalidUrl as error:
        errors.add("/task_url", str(error))
        return None


def _parse_reply(members: Members, settings: ApiSettings, errors: FieldErrors) -> TaskPlace | None:
    for name in ("task_url", "task_id"):
        if name in members:
            errors.add("/reply", f"names the task already; leave out {name}")
    reply = members["reply"]
    if not isinstance(reply, dict):
        errors.add("/reply", "must be an object: what the provider replied to the submission")
        return None
    providers = _list_candidates(members, settings, errors)
    api_path = read_text(members, "api_path", errors, check_api_path) if "api_path" in members else None
    if providers is None or errors.entries:
        return None
    return _find_in_reply(reply, providers, api_path, errors)


def _find_in_reply(
    reply: Members,
    providers: Mapping[str, RegistrationDefaults],
    api_path: str | None,
    errors: FieldErrors,
) -> TaskPlace | None:
    """Return the task at the provider whose places fit. One whose URL to poll fits wins over the others."""
    tasks: dict[str, TaskPlace] = {}
    reasons: list[str] = []
    for name, provider in providers.items():
        try:
            tasks[name] = find_submitted_task(reply, name, provider.place, provider.submit, api_path)
        except InvalidUrl as error:
            reasons.append(str(error))
    by_url = [name for name in tasks if has_poll_url(reply, providers[name].submit)]
    fitting = by_url if len(by_url) == 1 else list(tasks)
    if len(fitting) == 1:
        return tasks[fitting[0]]
    if fitting:
        some = ", ".join(sorted(fitting)[:MAX_PROVIDERS_NAMED])
        errors.add("/provider", f"is required, because the reply fits several: {some}")
    else:
        errors.add("/reply", _explain_no_fit(reasons))
    return None


def _explain_no_fit(reasons: list[str]) -> str:
    if len(reasons) == 1:
        return reasons[0]
    return f"fits no provider; with provider the reason is told. The first: {reasons[0]}"


def _list_candidates(
    members: Members, settings: ApiSettings, errors: FieldErrors
) -> Mapping[str, RegistrationDefaults] | None:
    """Return the providers that a task can be of: the one that is named, else all."""
    if "provider" not in members:
        return settings.providers
    name = _parse_provider(members, settings, errors)
    return None if name is None else {name: settings.providers[name]}


def _parse_provider(members: Members, settings: ApiSettings, errors: FieldErrors) -> str | None:
    if "provider" not in members and settings.default_provider is not None:
        return settings.default_provider
    if "provider" not in members:
        some = ", ".join(sorted(settings.providers)[:MAX_PROVIDERS_NAMED])
        errors.add("/provider", f"is required, because there are several: {some}")
        return None
    name = read_text(members, "provider", errors)
    if name is not None and name not in settings.providers:
        errors.add("/provider", describe_unknown(name, "provider", settings.providers))
        return None
    return name
