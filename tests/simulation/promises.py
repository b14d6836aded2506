"""What must hold once the faults are over: everything comes back in time, and nothing was lost."""

from typing import TYPE_CHECKING, Any

from notifier.core.formats.urls import url_to_endpoint
from tests.simulation.audit import EVENTS, FINAL, Audit
from tests.simulation.books import Watched
from tests.simulation.oracle import WORD_OF_TYPE
from tests.simulation.peers import PRIVATE_MS

if TYPE_CHECKING:
    from tests.simulation.simulation import Simulation

WAITING = """
SELECT (SELECT count(*) FROM watches WHERE state = 'watching')
  + (SELECT count(*) FROM deliveries WHERE state = 'pending') + (SELECT count(*) FROM bulk_changes) AS n
"""
PENDING_BY_ENDPOINT = """
SELECT ep.url, ep.closed_at IS NOT NULL AS is_closed, min(d.refusals) AS refusals, min(d.due_at) AS due_at
FROM deliveries d JOIN endpoints ep ON ep.seq = d.endpoint_seq WHERE d.state = 'pending' GROUP BY ep.seq
"""
LIVE_BY_PROVIDER = """
SELECT p.name, count(*) AS n FROM watches w JOIN providers p ON p.seq = w.provider_seq
WHERE w.state = 'watching' GROUP BY p.name
"""
OVERDUE_LEASES = "SELECT id FROM deliveries WHERE leased_until < ?"
GIVEN_UP_AT_410 = """
SELECT d.id, d.last_error FROM deliveries d
JOIN attempts a ON a.delivery_seq = d.seq AND a.number = d.attempts
WHERE d.state = 'dead' AND a.status = 410 AND d.last_error LIKE '%410%'
"""
REACTION_MS = 30_000
OUTCOMES = ("completed", "failed", "cancelled", "expired", "lost")


def waiting(audit: Audit) -> int:
    """How many watches, deliveries and bulk changes have not come to their end."""
    row = audit.row(WAITING)
    return 0 if row is None else int(row["n"])


def begin(simulation: "Simulation") -> None:
    """Note when the faults ended, and who waits for whom."""
    now = simulation.world.elapsed_ms()
    city = simulation.city
    simulation.returning = {
        row["url"]: max(now, city.receivers[row["url"]].asked_not_before)
        + city.receivers[row["url"]].probed_every_ms
        for row in simulation.audit.rows(PENDING_BY_ENDPOINT)
        if row["refusals"] == 0
    }
    simulation.asked_again = {
        row["name"]: max(now, city.upstreams[row["name"]].asked_not_before)
        + _longest_ms(simulation, row["name"])
        for row in simulation.audit.rows(LIVE_BY_PROVIDER)
    }
    simulation.faults_ended_at = now


def _longest_ms(simulation: "Simulation", name: str) -> int:
    polling = simulation.city.configs[0].providers[name].polling
    return max(PRIVATE_MS, polling.max_interval_ms * 11 // 10)


def check_return(simulation: "Simulation") -> None:
    """P7: what waits starts to drain by itself within its time."""
    world, oracle = simulation.world, simulation.oracle
    now, since = world.elapsed_ms(), simulation.faults_ended_at
    slack_ms = REACTION_MS + simulation.tempo.idle_s * 2_000
    sent_to = {
        url_to_endpoint(url): each[-1].at
        for (_, url), each in oracle.receipts.items()
        if each[-1].at >= since
    }
    waits = {row["url"] for row in simulation.audit.rows(PENDING_BY_ENDPOINT)}
    for url, latest in simulation.returning.items():
        if url in waits and url not in sent_to and now > latest + slack_ms:
            world.breach("P7 it comes back", f"{url} is well since {since} ms and was sent nothing")
    for name, latest in simulation.asked_again.items():
        if simulation.oracle.polled_at.get(name, 0) < since and now > latest + slack_ms:
            world.breach("P7 it comes back", f"{name} is well since {since} ms and was not asked")


def check_now_and_then(simulation: "Simulation") -> None:
    """What was claimed and not written down is looked at again after its lease; a 410 costs no life."""
    life, world = simulation.oracle.life, simulation.world
    for row in simulation.audit.rows(GIVEN_UP_AT_410):
        world.breach("410", f"{row['id']} was given up: {row['last_error']}")
    patience_ms = simulation.tempo.idle_s * 2_000 + REACTION_MS
    if not simulation.is_up or world.elapsed_ms() < max(life.born_at, world.leapt_at) + patience_ms:
        return
    for row in simulation.audit.rows(OVERDUE_LEASES, life.now() - patience_ms):
        world.breach("P7 it comes back", f"{row['id']} is claimed, and its lease was over long ago")


def check_stop(simulation: "Simulation") -> None:
    """An orderly stop writes down every answer that it has waited for."""
    life = simulation.oracle.life
    if not life.is_stopped or life.born_at < simulation.oracle.disk_troubled_at:
        return
    kept = {(row["event_id"], row["url"]): row["attempts"] for row in simulation.audit.rows(FINAL)}
    for place, receipts in simulation.oracle.receipts.items():
        last = receipts[-1]
        if last.is_heard and last.at >= life.born_at and kept.get(place, 0) < last.number:
            simulation.world.breach(
                "stop order", f"{place}: attempt {last.number} was answered and not written down"
            )


def check_end(simulation: "Simulation") -> None:
    """P1: each watch has its outcome, and each callback URL has it too, or is listed as dead."""
    world, audit = simulation.world, simulation.audit
    if waiting(audit):
        still = [tuple(row) for row in audit.rows("SELECT id, state FROM watches WHERE state = 'watching'")]
        still += [(row["id"], row["url"]) for row in audit.rows(FINAL) if row["state"] == "pending"]
        world.breach("P7 it comes back", f"long after the faults there wait {still[:5]}")
        return
    for text in audit.disagreements(simulation.now()):
        world.breach("the store agrees with itself", text)
    deliveries: dict[tuple[str, str], Any] = {}
    for row in audit.rows(FINAL):
        deliveries[row["event_id"], row["url"]] = row
        _check_delivery(simulation, row)
    for watched in simulation.oracle.watched.values():
        _check_watch(simulation, watched, deliveries)
    _check_file(simulation)


def _check_delivery(simulation: "Simulation", row: Any) -> None:
    receipts = simulation.oracle.receipts.get((row["event_id"], row["url"]), [])
    if row["state"] == "delivered" and not any(each.is_heard for each in receipts):
        text = f"{row['id']} is called delivered, and {row['url']} never said so"
        simulation.world.breach("P1 no loss", text)
    if row["state"] == "dead":
        simulation.world.counts["dead"] += 1
        if not row["last_error"]:
            simulation.world.breach("P1 no loss", f"{row['id']} is dead without a reason")


def _check_watch(simulation: "Simulation", watched: Watched, deliveries: dict[tuple[str, str], Any]) -> None:
    world, watch_id = simulation.world, watched.watch_id
    row = simulation.audit.row("SELECT * FROM watches WHERE id = ?", watch_id)
    if row is None:
        world.breach("P1 no loss", f"{watch_id} was answered 201 and is gone")
        return
    events = simulation.audit.rows(EVENTS, watch_id)
    if len({event["round"] for event in events}) != len(events) or len(events) > watched.resumes + 1:
        world.breach("first outcome wins", f"{watch_id} has {len(events)} outcomes")
    last: Any = next((event for event in events if event["round"] == row["round"]), None)
    if row["state"] in OUTCOMES and (last is None or last["type"] != f"task.{row['state']}"):
        world.breach("P1 no loss", f"{watch_id} is {row['state']} and has no event of it")
    if watched.stopped_knowing is not None and {event["id"] for event in events} - watched.stopped_knowing:
        world.breach("stop", f"{watch_id} has an event from after its stop")
    task = simulation.city.task(watched.key)
    for event in events:
        word = WORD_OF_TYPE.get(event["type"])
        if word is not None and word not in task.told:
            world.breach("P4 the provider's word", f"{watch_id} is {word}, which was never told")
    for url, kinds in watched.urls.items() if last is not None else ():
        if (kinds is None or last["type"] in kinds) and (last["id"], url) not in deliveries:
            world.breach("P1 no loss", f"{watch_id}: {last['type']} has no delivery to {url}")


def _check_file(simulation: "Simulation") -> None:
    """P6: no key was ever written."""
    file = simulation.oracle.file
    for path in (file, file.with_name(file.name + "-wal")):
        content = path.read_bytes() if path.exists() else b""
        for key in simulation.city.keys:
            if key.encode() in content:
                simulation.world.breach("P6 keys", f"{path.name} holds a key")
