"""The provider's key goes to the provider, and lies nowhere else."""

from tests.systemd.service import KEY, KEY_FILE, SERVICE, STATE, Service

CALLS = (
    "/v1/status",
    "/v1/watches",
    "/v1/deliveries",
    "/v1/endpoints",
    "/healthz",
    "/readyz",
    "/openapi.json",
)


def working(service: Service) -> Service:
    """With a task done and told, and a reload made: everything has been where it goes."""
    service.systemctl("start")
    service.peer.finished.add("a-task")
    service.register("a-task")
    service.until(lambda: service.peer.told, "the callback")
    service.systemctl("reload")
    return service


def test_the_key_is_read_from_the_credential_and_goes_to_the_provider(service: Service) -> None:
    """The file is root's alone; systemd hands its content over."""
    assert working(service).peer.keys == {f"Bearer {KEY}"}


def test_the_key_is_nowhere_but_in_the_credential(service: Service) -> None:
    """Not in the environment, the command line, the journal, the state directory, the API or the unit."""
    working(service)
    box, pid = service.box, service.pid
    places = {
        "environment": box.run("cat", f"/proc/{pid}/environ").stdout,
        "command line": box.run("cat", f"/proc/{pid}/cmdline").stdout,
        "journal": box.run("journalctl", "-o", "export", "-b", "--no-pager").stdout,
        "state directory": box.run(
            "sh", "-c", f"cat {STATE}/* | base64 -w0 | base64 -d | strings -n 8"
        ).stdout,
        "unit": box.run("systemctl", "show", SERVICE).stdout,
        "status": box.run("systemctl", "status", SERVICE).stdout,
        **{path: service.call("GET", path)[1].decode() for path in CALLS},
    }
    assert all(places.values())  # each was looked at
    assert [place for place, content in places.items() if KEY in content] == []


def test_the_credential_is_for_the_service_alone(service: Service) -> None:
    """No other user can read it, and it is on no disk."""
    working(service)
    handed = f"/run/credentials/{SERVICE}/mulerouter-api-key"
    assert service.box.run("cat", handed).stdout.strip() == KEY
    stranger = ("setpriv", "--reuid=65534", "--regid=65534", "--clear-groups")
    assert service.box.run(*stranger, "cat", handed, check=False).returncode != 0
    assert service.box.run("stat", "-f", "-c", "%T", handed).stdout.strip() in ("ramfs", "tmpfs")


def test_an_encrypted_key_is_read_all_the_same(service: Service) -> None:
    """The drop-in beside the unit works as it stands there."""
    encrypted = "/etc/notifier/mulerouter-api-key.cred"
    service.box.run(
        "systemd-creds", "encrypt", "--with-key=host", "--name=mulerouter-api-key", KEY_FILE, encrypted
    )
    service.box.run("rm", KEY_FILE)
    service.drop_in(service.shipped("encrypted-key.conf"), name="30-encrypted.conf")
    assert working(service).peer.keys == {f"Bearer {KEY}"}
    assert KEY not in service.box.run("cat", encrypted).stdout
