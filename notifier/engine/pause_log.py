"""Log lines about providers and api_paths that are held back: one when it begins, one when it ends."""

from collections.abc import Mapping

import structlog

from notifier.core.causes.cause import Condition, ProviderSubject
from notifier.core.polling.path_health import PathHealth

log = structlog.get_logger()


def log_provider(name: str, before: Condition | None, after: Condition | None) -> None:
    """Log that a provider is held back from now on, or no more."""
    if before is None and after is not None:
        text, cause = after.text(), after.cause
        fix = cause.fix(ProviderSubject(name))
        log.warning("provider.paused", provider=name, condition=text, code=cause.code, fix=fix)
    if before is not None and after is None:
        log.info("provider.resumed", provider=name)


def log_paths(name: str, before: Mapping[str, PathHealth], after: Mapping[str, PathHealth]) -> None:
    """Log which api_paths of a provider are held back from now on, and which no more."""
    for api_path in after.keys() - before.keys():
        condition = after[api_path].condition
        if condition is not None:
            cause = condition.cause
            fields = {"condition": condition.text(), "code": cause.code}
            fix = cause.fix(ProviderSubject(name))
            log.warning("path.paused", provider=name, api_path=api_path, **fields, fix=fix)
    for api_path in before.keys() - after.keys():
        log.info("path.resumed", provider=name, api_path=api_path)
