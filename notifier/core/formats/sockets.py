"""Decide which Unix sockets a callback may be sent to. ``AddressPolicy`` includes these rules.

Whoever may register a callback could otherwise post to every service of the machine that trusts its users.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Self

from notifier.core.formats.allow_rules import AddressRefusal, InvalidAllowRule
from notifier.core.formats.urls import SOCKET_PREFIX

_PATTERN = re.compile(r"(?:/(?!\.{1,2}(?:/|$))[A-Za-z0-9._@+*-]+)+", re.ASCII)
_VAR_RUN = re.compile(r"/var/run(?=/)")
# Whoever can post to one of these is root, or can start programs as this user: container engines, systemd,
# D-Bus, snapd, LXD and Incus.
_NEVER = re.compile(
    r"/run/(?:user/[0-9]+/)?(?:docker|containerd|podman|crio|k3s|buildkit|systemd|dbus|bus)(?:/.*)?"
    r"|.*/(?:docker|containerd|podman|crio|buildkit|snapd)d?(?:[._-][^/]*)?"
    r"|.*/system_bus_socket"
    r"|.*/(?:lxd|incus)/unix\.socket(?:\.user)?",
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class SocketPolicy:
    """The entries ``unix:/path`` of ``callbacks.allow``, and the sockets of our own listeners.

    A ``*`` in an entry stands for any characters of one file or folder name.
    """

    patterns: tuple[str, ...] = ()
    own: frozenset[str] = frozenset()

    @classmethod
    def of(cls, entries: Iterable[str], own: Iterable[str]) -> Self:
        """Parse the entries of the configuration. Raise InvalidAllowRule."""
        paths = [entry.removeprefix(SOCKET_PREFIX) for entry in entries]
        for path in paths:
            if not _PATTERN.fullmatch(path) or _is_never_allowed(path):
                raise InvalidAllowRule(
                    f"neither the path of a socket, nor one that callbacks may go to: {path[:100]!r}"
                )
        return cls(tuple(paths), frozenset(own))

    def refuse(self, path: str, real_path: str) -> AddressRefusal | None:
        """Return why a socket is refused; None if it is allowed.

        ``real_path`` is its path without symbolic links. What is always refused is so under both paths.
        """
        for name in (path, real_path):
            if _is_never_allowed(name):
                text = f"{name} belongs to a container engine or to the system; callbacks never go there"
                return AddressRefusal(text, is_final=True)
            if name in self.own:
                text = f"{name} is notifier itself; a callback there would go in a circle"
                return AddressRefusal(text, is_final=True)
        if any(_to_regex(pattern).fullmatch(path) for pattern in self.patterns):
            return None
        return AddressRefusal(f'callbacks.allow has no entry "unix:{path}"', is_final=False)


def _is_never_allowed(path: str) -> bool:
    return _NEVER.fullmatch(_VAR_RUN.sub("/run", path, count=1)) is not None


def _to_regex(pattern: str) -> re.Pattern[str]:
    return re.compile("[^/]*".join(map(re.escape, pattern.split("*"))))
