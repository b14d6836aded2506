"""What the journal has of the daemon: each line a record, with its priority."""

import json

from tests.systemd.service import CONFIG, Service

PRIORITIES = {"error": "3", "warning": "4", "info": "6"}
LINES = "/run/notifier-lines"


def troubled(service: Service) -> Service:
    """With something to say at each level."""
    service.box.write(CONFIG, '[callbacks]\nallow = ["lopback"]\n')  # a host's name? A warning
    service.systemctl("start")
    service.box.write(CONFIG, '[log]\nlevle = "debug"\n')
    service.systemctl("reload", check=False)  # an error
    return service


def test_each_record_has_the_priority_of_its_level(service: Service) -> None:
    """`journalctl -p err` finds what is wrong, and the line is whole JSON."""
    events = troubled(service).events()
    assert {line["level"] for line in events} == set(PRIORITIES)
    assert all(line["PRIORITY"] == PRIORITIES[line["level"]] for line in events)
    errors = [
        json.loads(record["MESSAGE"])["event"]
        for record in service.records("-p", "err")
        if record["MESSAGE"][0] == "{"
    ]
    assert errors == ["config.refused"]


def test_no_record_shows_its_prefix(service: Service) -> None:
    """It is for journald, which takes it off."""
    assert "<6>" not in troubled(service).said()
    assert "<3>" not in service.said()


def test_a_file_gets_no_prefixes(service: Service) -> None:
    """Where standard output is not the journal, a line is JSON and nothing else; stderr does not count."""
    service.drop_in(f"[Service]\nStandardOutput=truncate:{LINES}\nStandardError=journal\n")
    service.systemctl("start")
    lines = service.box.run("cat", LINES).stdout.splitlines()
    assert "daemon.ready" in [json.loads(line)["event"] for line in lines]
