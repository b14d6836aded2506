"""Callbacks go to the Unix sockets that ``callbacks.allow`` names, and never to those of the system."""

import pytest

from notifier.core.formats.addresses import AddressPolicy
from notifier.core.formats.allow_rules import InvalidAllowRule

APP = "/run/app/web.sock"


def is_allowed(path: str, *allow: str, real_path: str = "") -> bool:
    return AddressPolicy.of(allow).sockets.refuse(path, real_path or path) is None


def test_no_socket_is_allowed_by_default() -> None:
    """Neither are private addresses sockets, nor is any name."""
    assert not is_allowed(APP)
    assert not is_allowed(APP, "loopback", "private", "public", "0.0.0.0/0", "localhost")


@pytest.mark.parametrize(
    ("pattern", "path", "matches"),
    [
        ("unix:/run/app/web.sock", APP, True),
        ("unix:/run/app/*.sock", APP, True),
        ("unix:/run/*/web.sock", APP, True),
        ("unix:/run/app/*", APP, True),
        (" unix:/run/app/web.sock ", APP, True),
        ("unix:/run/App/web.sock", APP, False),
        ("unix:/run/*", APP, False),
        ("unix:/run/app/*.sock", "/run/app/sub/web.sock", False),
        ("unix:/run/app/web.sock", "/run/app/webXsock", False),
        ("unix:/run/app/web.sock", "/srv/run/app/web.sock", False),
        ("unix:/run/app/web.sock", "/run/app/web.sock.old", False),
    ],
)
def test_a_star_stands_for_part_of_one_name(pattern: str, path: str, matches: bool) -> None:
    """Names are compared with their case."""
    assert is_allowed(path, pattern) == matches


NEVER = [
    "/run/docker.sock", "/var/run/docker.sock", "/run/user/1000/docker.sock", "/run/docker/metrics.sock",
    "/home/u/.docker/run/docker.sock", "/host/docker_raw.sock", "/run/containerd/containerd.sock",
    "/run/containerd/containerd.sock.ttrpc", "/run/k3s/containerd/containerd.sock", "/run/podman/podman.sock",
    "/run/user/1000/podman/podman.sock", "/run/crio/crio.sock", "/run/buildkit/buildkitd.sock",
    "/run/systemd/private", "/run/systemd/journal/stdout", "/var/run/systemd/notify",
    "/run/user/1000/systemd/private", "/run/dbus/system_bus_socket", "/var/run/dbus/system_bus_socket",
    "/run/user/1000/bus", "/run/snapd.socket", "/var/lib/lxd/unix.socket", "/var/lib/incus/unix.socket",
]  # fmt: skip


@pytest.mark.fault(163)
@pytest.mark.parametrize("path", NEVER)
def test_sockets_of_the_system_are_always_refused(path: str) -> None:
    """Whoever posts there is root. No pattern allows them, nor does a link to them from an allowed place."""
    policy = AddressPolicy.of(f"unix:{'/*' * depth}" for depth in range(1, 9)).sockets
    assert policy.refuse(APP, APP) is None
    for allowed, real_path in ((path, path), (APP, path), (path, APP)):
        why = policy.refuse(allowed, real_path)
        assert why is not None
        assert why.is_final
    with pytest.raises(InvalidAllowRule):
        AddressPolicy.of([f"unix:{path}"])


@pytest.mark.parametrize(
    "path", ["/run/dockerapp/web.sock", "/srv/docker/web.sock", "/run/app/private", "/run/app/unix.socket"]
)
def test_a_name_that_only_resembles_one_of_them_is_allowed(path: str) -> None:
    assert is_allowed(path, f"unix:{path}")


@pytest.mark.parametrize(
    "entry",
    [
        "unix:",
        "unix:/",
        "unix:run/a",
        "unix:/run/",
        "unix:/run/../a",
        "unix:/run/a b",
        "unix:/run/?",
        "unix:*",
    ],
)
def test_an_entry_that_is_no_path_is_refused(entry: str) -> None:
    with pytest.raises(InvalidAllowRule):
        AddressPolicy.of([entry])


def test_our_own_listener_is_always_refused() -> None:
    """Also under another name for it."""
    policy = AddressPolicy.of(
        ["unix:/run/app/*"], [("/run/app/notifier.sock", 0), ("127.0.0.1", 8484)]
    ).sockets
    for path, real_path in (
        ("/run/app/notifier.sock", "/run/app/notifier.sock"),
        (APP, "/run/app/notifier.sock"),
    ):
        refusal = policy.refuse(path, real_path)
        assert refusal is not None
        assert refusal.is_final
        assert "notifier itself" in refusal.text
