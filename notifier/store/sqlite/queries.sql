-- The statements of the store, by name. The schema is in migrations/, PRAGMAs are in connection.py, open.py,
-- maintenance.py, backup.py and integrity.py. A set is passed as a JSON array. A + before a column keeps the
-- planner from choosing an index by it.

-- ---- watches: registering

-- name: names_before_adding
SELECT t.n AS live, p.seq AS provider_seq, a.seq AS api_path_seq, w.seq AS watch_seq,
  h.finishes, h.p5_ms, h.p50_ms, h.p90_ms
FROM tallies t
LEFT JOIN habits h ON h.provider = :provider AND h.api_path = :api_path
LEFT JOIN providers p ON p.name = :provider
LEFT JOIN api_paths a ON a.path = :api_path
LEFT JOIN watches w ON w.task_id = :task_id AND w.api_path_seq = a.seq AND w.provider_seq = p.seq
WHERE t.kind = 'watch' AND t.state = 'watching'

-- name: add_provider
INSERT INTO providers (name) VALUES (:name) RETURNING seq

-- name: add_api_path
INSERT INTO api_paths (path) VALUES (:path) RETURNING seq

-- name: add_watch
INSERT INTO watches
  (id, provider_seq, api_path_seq, task_id, state, callbacks, metadata, registered_at, expires_at, due_at,
   traceparent)
VALUES
  (:id, :provider_seq, :api_path_seq, :task_id, 'watching', :callbacks, :metadata, :registered_at, :expires_at,
   :due_at, :traceparent)

-- name: set_callbacks
UPDATE watches SET callbacks = :callbacks WHERE seq = :seq

-- ---- watches: polling

-- name: due_watches
SELECT w.*, h.finishes, h.p5_ms, h.p50_ms, h.p90_ms FROM watch_rows w
LEFT JOIN habits h ON h.provider = :provider AND h.api_path = w.api_path
WHERE state = 'watching' AND provider_seq = (SELECT seq FROM providers WHERE name = :provider)
  AND due_at <= :now
ORDER BY due_at LIMIT :limit

-- name: due_watches_past_deadline
SELECT * FROM watch_rows
WHERE state = 'watching' AND provider_seq = (SELECT seq FROM providers WHERE name = :provider)
  AND expires_at BETWEEN :deadline_from AND :now AND +due_at <= :now
ORDER BY expires_at LIMIT :limit

-- name: claim_watches
UPDATE watches SET owner = :owner, due_at = :until WHERE seq IN (SELECT value FROM json_each(:seqs))

-- name: next_watch_due
SELECT due_at FROM watches
WHERE state = 'watching' AND provider_seq = (SELECT seq FROM providers WHERE name = :provider)
  AND (owner IS NULL OR due_at <= :now)
ORDER BY due_at LIMIT 1

-- name: record_wait
UPDATE watches SET
  due_at = :due_at, owner = NULL, interval_ms = :interval_ms, polls = polls + 1, last_polled_at = :now,
  upstream_status = :upstream_status, task_created_at = :task_created_at,
  trouble = :trouble, trouble_params = :trouble_params, trouble_since = :trouble_since,
  missing = :missing, missing_since = :missing_since
WHERE id = :id AND state = 'watching' AND owner = :owner AND round = :round AND polls = :polls
RETURNING seq

-- name: record_end
UPDATE watches SET
  state = :state, due_at = NULL, owner = NULL, polls = polls + :is_polled,
  last_polled_at = iif(:is_polled, :now, last_polled_at),
  upstream_status = :upstream_status, task_created_at = :task_created_at,
  trouble = NULL, trouble_params = NULL, trouble_since = NULL, missing = NULL, missing_since = NULL,
  ended_at = :ended_at, finished_at = :finished_at, outputs = :outputs, result_expires_at = :result_expires_at,
  error = :error
WHERE id = :id AND state IN (SELECT value FROM json_each(:from_states))
  AND owner = :owner AND round = :round AND polls = :polls
RETURNING seq, callbacks

-- name: add_event
INSERT INTO events (id, watch_seq, round, type, at, body, result_expires_at)
VALUES (:id, :watch_seq, :round, :type, :at, :body, :result_expires_at)
RETURNING seq

-- ---- watches: learned durations

-- name: durations_of_path
SELECT finishes, sketch FROM habits WHERE provider = :provider AND api_path = :api_path

-- name: record_durations
INSERT INTO habits (provider, api_path, finishes, heard_at, p5_ms, p50_ms, p90_ms, sketch)
VALUES (:provider, :api_path, :finishes, :now, :p5_ms, :p50_ms, :p90_ms, :sketch)
ON CONFLICT (provider, api_path) DO UPDATE SET
  finishes = excluded.finishes, heard_at = excluded.heard_at, p5_ms = excluded.p5_ms,
  p50_ms = excluded.p50_ms, p90_ms = excluded.p90_ms, sketch = excluded.sketch

-- name: delete_oldest_durations
DELETE FROM habits WHERE (provider, api_path) IN (
  SELECT provider, api_path FROM habits ORDER BY heard_at DESC LIMIT -1 OFFSET :most
)

-- name: list_durations
SELECT provider, api_path, finishes, p5_ms, p50_ms, p90_ms FROM habits
ORDER BY finishes DESC, provider, api_path LIMIT :limit

-- ---- watches: stop, resume, poll now, timeline

-- name: stop_watch
-- A stopped watch may be stopped again; it keeps the time of its end.
UPDATE watches SET
  state = :state, due_at = NULL, owner = NULL, ended_at = :now,
  trouble = NULL, trouble_params = NULL, trouble_since = NULL, missing = NULL, missing_since = NULL
WHERE id = :id AND state IN (SELECT value FROM json_each(:from_states)) AND ended_at IS NULL
RETURNING seq, round

-- name: live_watches
SELECT n FROM tallies WHERE kind = 'watch' AND state = 'watching'

-- name: resume_watch
UPDATE watches SET
  state = :state, round = round + 1, due_at = :now, expires_at = :expires_at, interval_ms = 0,
  ended_at = NULL, finished_at = NULL, outputs = NULL, result_expires_at = NULL, error = NULL
WHERE id = :id AND state IN (SELECT value FROM json_each(:from_states))
RETURNING seq, round

-- name: write_timeline_entry
INSERT OR REPLACE INTO moments (watch_seq, slot, at, kind, text) VALUES (:watch_seq, :slot, :at, :kind, :text)

-- name: timeline_entries
SELECT at, kind, text FROM moments WHERE watch_seq = :watch_seq

-- name: round_ends
SELECT at, type FROM events WHERE watch_seq = :watch_seq ORDER BY round

-- name: deliveries_of_watch
SELECT d.* FROM events e CROSS JOIN delivery_rows d ON d.event_seq = e.seq
WHERE e.watch_seq = :watch_seq ORDER BY d.seq

-- name: poll_now
-- Due before everything else at its provider, however long the queue is.
UPDATE watches SET due_at = min(due_at, :now, coalesce((
  SELECT first.due_at - 1 FROM watches first
  WHERE first.provider_seq = watches.provider_seq AND first.state = 'watching' AND first.seq <> watches.seq
  ORDER BY first.due_at LIMIT 1), :now))
WHERE id = :id AND state = 'watching' AND owner IS NULL

-- ---- watches: reading

-- name: watch
SELECT * FROM watch_rows WHERE id = :id

-- name: latest_event
SELECT * FROM events WHERE watch_seq = :watch_seq ORDER BY round DESC LIMIT 1

-- name: event_of_round
SELECT * FROM events WHERE watch_seq = :watch_seq AND round = :round

-- name: watch_place
SELECT seq, id = :id AS is_it FROM watches WHERE id <= :id ORDER BY id DESC LIMIT 1

-- name: provider_names
SELECT name FROM providers ORDER BY seq

-- name: provider_seqs
SELECT seq FROM providers WHERE :provider IS NULL OR name = :provider

-- name: newest_watches
SELECT seq FROM watches WHERE seq < :before ORDER BY seq DESC LIMIT :limit

-- name: newest_watches_in
SELECT seq FROM watches WHERE provider_seq = :provider_seq AND state = :state AND seq < :before
ORDER BY seq DESC LIMIT :limit

-- name: newest_watches_of_task
SELECT seq FROM watches
WHERE task_id = :task_id AND seq < :before AND (:state IS NULL OR state = :state)
  AND (:provider IS NULL OR provider_seq = (SELECT seq FROM providers WHERE name = :provider))
ORDER BY +seq DESC LIMIT :limit

-- name: watch_by_seq
SELECT * FROM watch_rows WHERE seq = :seq

-- name: recent_ends
-- The limit counts the rows that are left out too, so that no more rows are read.
SELECT registered_at, ended_at, finished_at, polls
FROM (SELECT * FROM watches WHERE ended_at IS NOT NULL ORDER BY ended_at DESC LIMIT :limit)
WHERE state <> 'stopped' AND round = 0

-- name: watches_by_seq
SELECT * FROM watch_rows WHERE seq IN (SELECT value FROM json_each(:seqs)) ORDER BY seq DESC

-- name: watches_by_id
SELECT * FROM watch_rows WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY seq

-- ---- deliveries: creating

-- name: add_origin
INSERT INTO origins (name) VALUES (:name) ON CONFLICT DO NOTHING

-- name: endpoint
SELECT seq FROM endpoints WHERE url = :url

-- name: add_endpoint
INSERT INTO endpoints (id, url, origin_seq, width, slot_class)
SELECT :id, :url, seq, iif(is_trusted, NULL, 1), iif(is_trusted, 0, 2) FROM origins WHERE name = :origin
RETURNING seq

-- name: add_delivery
INSERT INTO deliveries
  (id, event_seq, endpoint_seq, url, headers, state, urgency, created_at, due_at, give_up_at)
VALUES
  (:id, :event_seq, :endpoint_seq, :url, :headers, 'pending', :urgency, :due_at, :due_at, :give_up_at)

-- name: make_endpoint_due
UPDATE endpoints SET due_at = max(:due_at, probe_at)
WHERE seq = :endpoint_seq AND hold IS NULL AND (due_at IS NULL OR due_at > max(:due_at, probe_at))

-- name: queue_endpoint_first
-- Before all other endpoints, because a user waits for it.
UPDATE endpoints SET due_at = 0 WHERE seq = :endpoint_seq

-- ---- deliveries: sending

-- name: release_expired_claims
UPDATE deliveries SET owner = NULL, leased_until = NULL, due_at = leased_until, is_interrupted = 1
WHERE leased_until <= :now
RETURNING endpoint_seq

-- name: due_origins
-- Of the endpoints that work; the next three have the others (core/delivery/slots.py).
SELECT seq, name, due_at FROM origins
WHERE due_at <= :now AND name NOT IN (SELECT value FROM json_each(:full))
ORDER BY due_at LIMIT :limit

-- name: recovering_origins
SELECT seq, name, recovering_at AS due_at FROM origins
WHERE recovering_at <= :now AND name NOT IN (SELECT value FROM json_each(:full))
ORDER BY recovering_at LIMIT :limit

-- name: new_origins
SELECT seq, name, new_at AS due_at FROM origins
WHERE new_at <= :now AND name NOT IN (SELECT value FROM json_each(:full))
ORDER BY new_at LIMIT :limit

-- name: hanging_origins
SELECT seq, name, hanging_at AS due_at FROM origins
WHERE hanging_at <= :now AND name NOT IN (SELECT value FROM json_each(:full))
ORDER BY hanging_at LIMIT :limit

-- name: due_endpoints
SELECT * FROM endpoints WHERE origin_seq = :origin_seq AND slot_class = :slot_class AND due_at <= :now
ORDER BY due_at, seq LIMIT :limit

-- name: in_flight
SELECT count(*) AS n FROM deliveries WHERE endpoint_seq = :endpoint_seq AND owner IS NOT NULL

-- name: forced_deliveries
SELECT d.seq, d.endpoint_seq, o.name AS origin
FROM (SELECT seq FROM deliveries WHERE is_forced = 1 LIMIT :max_scanned) AS forced
CROSS JOIN deliveries d ON d.seq = forced.seq
CROSS JOIN endpoints e ON e.seq = d.endpoint_seq
CROSS JOIN origins o ON o.seq = e.origin_seq
WHERE d.due_at IS NOT NULL AND o.name NOT IN (SELECT value FROM json_each(:full))
LIMIT :limit

-- name: due_deliveries
-- The most urgent due deliveries, in the order of the inner statement, which stops when there are enough. Refused
-- deliveries wait for a later time; if very many wait, not all are scanned.
SELECT seq FROM (
  SELECT seq, due_at FROM deliveries
  WHERE endpoint_seq = :endpoint_seq AND due_at IS NOT NULL
  ORDER BY urgency, due_at, seq LIMIT :max_scanned
) WHERE due_at <= :now LIMIT :limit

-- name: longest_due_deliveries
SELECT seq FROM deliveries WHERE endpoint_seq = :endpoint_seq AND due_at <= :now
ORDER BY due_at LIMIT :limit

-- name: newest_due_deliveries
-- No more rows are read than max_scanned, though the newest may wait for a later time.
SELECT seq FROM (
  SELECT seq, due_at FROM deliveries WHERE endpoint_seq = :endpoint_seq AND state = 'pending'
  ORDER BY seq DESC LIMIT :max_scanned
) WHERE due_at <= :now LIMIT :limit

-- name: claim_deliveries
UPDATE deliveries SET owner = :owner, leased_until = :until, due_at = NULL,
  is_late = is_late OR (attempts = 0 AND is_interrupted = 0 AND urgency <= :now)
WHERE seq IN (SELECT value FROM json_each(:seqs))

-- name: requeue_endpoint
-- A paused or parked endpoint is due for forced deliveries only; a closed one not before its probe.
UPDATE endpoints SET due_at = CASE
  WHEN EXISTS (SELECT 1 FROM deliveries
    WHERE endpoint_seq = :endpoint_seq AND is_forced = 1 AND +due_at IS NOT NULL) THEN :now
  WHEN hold IS NULL THEN (
    SELECT max(due_at, :now, endpoints.probe_at) FROM deliveries
    WHERE endpoint_seq = :endpoint_seq AND due_at IS NOT NULL
    ORDER BY due_at LIMIT 1)
  END
WHERE seq = :endpoint_seq

-- name: unqueue_endpoint
UPDATE endpoints SET due_at = NULL WHERE seq = :endpoint_seq

-- name: endpoint_by_seq
SELECT e.*, o.is_trusted FROM endpoints e CROSS JOIN origins o ON o.seq = e.origin_seq
WHERE e.seq = :endpoint_seq

-- name: write_health
UPDATE endpoints SET failures = :failures, closed_at = :closed_at, reason = :reason,
  reason_params = :reason_params, probe_at = :probe_at, probes = :probes, paused_until = :paused_until,
  hold = :hold, width = :width, accepted_at = :accepted_at, is_hanging = :is_hanging, slot_class = :slot_class
WHERE seq = :endpoint_seq

-- name: trust_origin
UPDATE origins SET is_trusted = :is_trusted WHERE seq = :origin_seq

-- name: last_waiting
SELECT max(seq) AS seq FROM deliveries WHERE endpoint_seq = :endpoint_seq AND state = 'pending'

-- name: next_to_sweep
SELECT seq FROM deliveries
WHERE endpoint_seq = :endpoint_seq AND state = 'pending' AND seq > :place AND seq <= :last
ORDER BY seq LIMIT :limit

-- name: add_sweep
INSERT INTO endpoint_sweeps (endpoint_seq, action, place, last, most_attempts)
VALUES (:endpoint_seq, :action, :place, :last, :most_attempts)
ON CONFLICT (endpoint_seq, action) DO UPDATE SET
  place = excluded.place, last = excluded.last, most_attempts = max(most_attempts, excluded.most_attempts)

-- name: oldest_sweep
SELECT * FROM endpoint_sweeps ORDER BY seq LIMIT 1

-- name: move_sweep
UPDATE endpoint_sweeps SET place = :place WHERE seq = :seq

-- name: end_sweep
DELETE FROM endpoint_sweeps WHERE seq = :seq

-- name: make_deliveries_due
-- A delivery with many attempts would be sent first by its age, and close the gate again. So it keeps its due
-- time, which is a probe's wait away at most.
UPDATE deliveries SET due_at = :now
WHERE seq IN (SELECT value FROM json_each(:seqs)) AND +due_at > :now
  AND (attempts <= :most_attempts OR +refusals > 0)

-- name: give_up_by_user
UPDATE deliveries SET
  state = :state, due_at = NULL, owner = NULL, leased_until = NULL, ended_at = :now, is_forced = 0,
  last_error = :reason
WHERE seq IN (SELECT value FROM json_each(:seqs)) AND +state IN (SELECT value FROM json_each(:from_states))

-- name: claimed_deliveries
-- has_accepted_others: the endpoint accepted something since the last attempt, or since the creation. A time
-- that lies ahead is from before the clock was set back, and says nothing.
SELECT d.*, e.body, w.traceparent, coalesce(ep.accepted_at BETWEEN coalesce(
  (SELECT at FROM attempts WHERE delivery_seq = d.seq AND number = d.attempts), d.created_at) AND :now, 0)
  AS has_accepted_others
FROM json_each(:seqs) j
CROSS JOIN delivery_rows d ON d.seq = j.value
CROSS JOIN events e ON e.seq = d.event_seq
CROSS JOIN watches w ON w.seq = e.watch_seq
CROSS JOIN endpoints ep ON ep.seq = d.endpoint_seq
ORDER BY j.key

-- name: record_attempt
UPDATE deliveries SET
  state = :state, attempts = :number, owner = NULL, leased_until = NULL, is_interrupted = 0,
  is_forced = 0, refusals = refusals + :is_refusal,
  due_at = :due_at, ended_at = :ended_at, last_error = :last_error
WHERE id = :id AND state IN (SELECT value FROM json_each(:from_states))
  AND owner = :owner AND attempts = :number - 1
RETURNING seq, endpoint_seq

-- name: add_attempt
INSERT INTO attempts
  (delivery_seq, number, at, duration_ms, status, error, answer, fault, peer, connect_ms, first_byte_ms)
VALUES
  (:delivery_seq, :number, :at, :duration_ms, :status, :error, :answer, :fault, :peer, :connect_ms,
   :first_byte_ms)

-- name: redeliver
UPDATE deliveries SET
  state = :state, due_at = iif(owner IS NULL, :now, NULL), give_up_at = :give_up_at, ended_at = NULL,
  refusals = 0, is_forced = 1, is_replayed = 1
WHERE id = :id AND state IN (SELECT value FROM json_each(:from_states))
RETURNING endpoint_seq, owner IS NULL AS is_waiting

-- ---- deliveries: reading

-- name: delivery
SELECT * FROM delivery_rows WHERE id = :id

-- name: delivery_body
SELECT e.body, d.is_late FROM deliveries d CROSS JOIN events e ON e.seq = d.event_seq WHERE d.id = :id

-- name: attempts
SELECT a.* FROM attempts a WHERE delivery_seq = :delivery_seq ORDER BY number

-- name: delivery_place
SELECT seq, id = :id AS is_it FROM deliveries WHERE id <= :id ORDER BY id DESC LIMIT 1

-- name: newest_deliveries
SELECT seq FROM deliveries WHERE seq < :before ORDER BY seq DESC LIMIT :limit

-- name: newest_deliveries_in
SELECT seq FROM deliveries WHERE state = :state AND seq < :before ORDER BY seq DESC LIMIT :limit

-- name: newest_deliveries_to
SELECT seq FROM deliveries
WHERE endpoint_seq = :endpoint_seq AND state = :state AND seq < :before AND url = :url
ORDER BY seq DESC LIMIT :limit

-- name: newest_deliveries_of_watch
SELECT d.seq FROM events e CROSS JOIN deliveries d ON d.event_seq = e.seq
WHERE e.watch_seq = (SELECT seq FROM watches WHERE id = :watch_id) AND d.seq < :before
  AND (:state IS NULL OR d.state = :state) AND (:url IS NULL OR d.url = :url)
ORDER BY d.seq DESC LIMIT :limit

-- name: recent_callbacks
-- The first 2xx counts, because a delivery that was sent again ended later for another reason.
SELECT created_at, (SELECT at + duration_ms FROM attempts
  WHERE delivery_seq = newest.seq AND status BETWEEN 200 AND 299 ORDER BY number LIMIT 1) AS accepted_at
FROM (SELECT seq, created_at FROM deliveries WHERE state = 'delivered' ORDER BY seq DESC LIMIT :limit) AS newest

-- name: deliveries_by_seq
SELECT * FROM delivery_rows WHERE seq IN (SELECT value FROM json_each(:seqs)) ORDER BY seq DESC

-- name: deliveries_by_id
SELECT * FROM delivery_rows WHERE id IN (SELECT value FROM json_each(:ids)) ORDER BY seq

-- name: delivery_ids_of_watches
SELECT d.id FROM json_each(:ids) j
CROSS JOIN watches w ON w.id = j.value
CROSS JOIN events e ON e.watch_seq = w.seq
CROSS JOIN deliveries d ON d.event_seq = e.seq

-- ---- endpoints

-- name: endpoint_by_id
SELECT * FROM endpoints WHERE id = :id

-- name: endpoint_place
SELECT seq, id = :id AS is_it FROM endpoints WHERE id <= :id ORDER BY id DESC LIMIT 1

-- name: newest_endpoints
SELECT seq FROM endpoints NOT INDEXED WHERE seq < :before ORDER BY seq DESC LIMIT :limit

-- name: endpoint_details
SELECT e.*,
  (SELECT count(*) FROM deliveries WHERE endpoint_seq = e.seq AND state = 'pending') AS pending,
  (SELECT count(*) FROM deliveries WHERE endpoint_seq = e.seq AND state = 'delivered') AS delivered,
  (SELECT count(*) FROM deliveries WHERE endpoint_seq = e.seq AND state = 'dead') AS dead,
  (SELECT created_at FROM deliveries WHERE endpoint_seq = e.seq AND state = 'pending'
    ORDER BY seq LIMIT 1) AS oldest_pending_at
FROM json_each(:seqs) j CROSS JOIN endpoints e ON e.seq = j.value
ORDER BY j.key

-- name: delete_unused_endpoint
DELETE FROM endpoints WHERE seq = :endpoint_seq AND hold IS NULL
  AND NOT EXISTS (SELECT 1 FROM deliveries WHERE endpoint_seq = :endpoint_seq)

-- ---- replays

-- name: last_delivery
SELECT max(seq) AS seq FROM deliveries

-- name: count_to_replay
SELECT count(*) AS n, min(seq) AS first, max(seq) AS last FROM deliveries
WHERE state IN (SELECT value FROM json_each(:states)) AND seq > :place AND seq <= :until_seq
  AND (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at < :until)

-- name: count_to_replay_to
SELECT count(*) AS n, min(seq) AS first, max(seq) AS last FROM deliveries
WHERE endpoint_seq = (SELECT seq FROM endpoints WHERE url = :endpoint)
  AND state IN (SELECT value FROM json_each(:states)) AND seq > :place AND seq <= :until_seq
  AND (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at < :until) AND url = :url

-- name: next_to_replay
SELECT seq FROM deliveries
WHERE state IN (SELECT value FROM json_each(:states)) AND seq > :place AND seq <= :until_seq
  AND (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at < :until)
ORDER BY seq LIMIT :limit

-- name: next_to_replay_to
SELECT seq FROM deliveries
WHERE endpoint_seq = (SELECT seq FROM endpoints WHERE url = :endpoint)
  AND state IN (SELECT value FROM json_each(:states)) AND seq > :place AND seq <= :until_seq
  AND (:since IS NULL OR created_at >= :since) AND (:until IS NULL OR created_at < :until) AND url = :url
ORDER BY seq LIMIT :limit

-- name: count_replays
SELECT count(*) AS n FROM replays

-- name: add_replay
INSERT INTO replays (started_at, since, until, state, url, place, last)
VALUES (:now, :since, :until, :state, :url, :place, :last)

-- name: oldest_replay
SELECT * FROM replays ORDER BY seq LIMIT 1

-- name: move_replay
UPDATE replays SET place = :place WHERE seq = :seq

-- name: end_replay
DELETE FROM replays WHERE seq = :seq

-- name: replay
UPDATE deliveries SET
  state = :state, due_at = :now, give_up_at = :give_up_at, ended_at = NULL, refusals = 0,
  is_replayed = 1
WHERE seq IN (SELECT value FROM json_each(:seqs)) AND +state IN (SELECT value FROM json_each(:from_states))
RETURNING endpoint_seq

-- ---- maintenance

-- name: tallies
SELECT kind, state, n FROM tallies

-- name: oldest_pending
SELECT created_at FROM deliveries WHERE state = 'pending' ORDER BY seq LIMIT 1

-- name: count_expiring
-- Three quarters of the time from creation to expiry are over. The index has the same expression. What a user
-- sends again has no time left to lose.
SELECT count(*) AS n FROM (SELECT 1 FROM deliveries
  WHERE ended_at IS NULL AND urgency < 9223372036854775807 AND is_replayed = 0
    AND created_at + 3 * urgency <= 4 * :now
  LIMIT :most)

-- name: count_blocked_endpoints
-- No more rows are read than are counted. A closed endpoint with nothing waiting holds nothing back.
SELECT 'closed' AS state, count(*) AS n
FROM (SELECT seq, hold FROM endpoints WHERE closed_at IS NOT NULL LIMIT :most) AS shut
WHERE hold IS NULL AND EXISTS (SELECT 1 FROM deliveries WHERE endpoint_seq = shut.seq AND state = 'pending')
UNION ALL
SELECT 'paused', count(*) FROM (SELECT 1 FROM endpoints WHERE hold = 'paused' LIMIT :most)
UNION ALL
SELECT 'gone', count(*) FROM (SELECT 1 FROM endpoints WHERE hold = 'gone' LIMIT :most)

-- name: count_troubled
SELECT
  (SELECT count(*) FROM (SELECT 1 FROM watches WHERE trouble_since IS NOT NULL LIMIT :most)) AS n,
  (SELECT count(*) FROM (SELECT 1 FROM watches WHERE trouble_since <= :before LIMIT :most)) AS lasting

-- name: count_refused
SELECT count(*) AS n FROM (SELECT 1 FROM deliveries WHERE ended_at IS NULL AND refusals > 0 LIMIT :most)

-- name: overdue_deliveries
SELECT d.seq FROM deliveries d CROSS JOIN endpoints e ON e.seq = d.endpoint_seq
WHERE d.ended_at IS NULL AND d.give_up_at <= :now AND d.due_at IS NOT NULL
  AND e.closed_at IS NOT NULL AND e.hold IS NULL
ORDER BY d.give_up_at LIMIT :limit

-- name: closed_endpoints_of
SELECT DISTINCT e.seq, e.reason, e.reason_params FROM json_each(:seqs) j
CROSS JOIN deliveries d ON d.seq = j.value
CROSS JOIN endpoints e ON e.seq = d.endpoint_seq
WHERE e.closed_at IS NOT NULL

-- name: give_up_deliveries
-- reasons: pairs of an endpoint's seq and the text of its reason, as an error is stored as text.
UPDATE deliveries SET
  state = :state, due_at = NULL, ended_at = :now, is_forced = 0,
  last_error = 'given up after ' || attempts || iif(attempts = 1, ' attempt', ' attempts')
    || ', its endpoint being closed: '
    || (SELECT json_extract(value, '$[1]') FROM json_each(:reasons) WHERE json_extract(value, '$[0]') = endpoint_seq)
WHERE seq IN (SELECT value FROM json_each(:seqs)) AND +state IN (SELECT value FROM json_each(:from_states))
  AND due_at IS NOT NULL AND give_up_at <= :now
  AND EXISTS (SELECT 1 FROM endpoints WHERE seq = endpoint_seq AND closed_at IS NOT NULL AND hold IS NULL)
RETURNING endpoint_seq

-- name: count_attempts
SELECT n FROM tallies WHERE kind = 'attempt'

-- name: delete_oldest_attempts
DELETE FROM attempts WHERE (delivery_seq, number) IN (
  SELECT delivery_seq, number FROM attempts ORDER BY at LIMIT :count
)

-- name: ended_watches
-- length() reads no page of a body.
SELECT w.seq, w.ended_at, NOT EXISTS (
  SELECT 1 FROM events e CROSS JOIN deliveries d ON d.event_seq = e.seq
  WHERE e.watch_seq = w.seq AND (
    d.state = 'pending'
    OR (d.state = 'dead' AND d.ended_at >= :dead_before)
    OR (d.state = 'delivered' AND d.ended_at >= :delivered_before)
  )
) AS is_forgettable,
  (SELECT coalesce(sum(length(body)), 0) FROM events WHERE watch_seq = w.seq) AS body_bytes
FROM watches w
WHERE (w.ended_at, w.seq) > (:ended_at, :seq) AND w.ended_at < :delivered_before
ORDER BY w.ended_at, w.seq LIMIT :limit

-- name: delete_watches
-- The condition is that of "ended_watches", because a user may have changed something since.
DELETE FROM watches
WHERE seq IN (SELECT value FROM json_each(:seqs)) AND +ended_at < :delivered_before AND NOT EXISTS (
  SELECT 1 FROM events e CROSS JOIN deliveries d ON d.event_seq = e.seq
  WHERE e.watch_seq = watches.seq AND (
    d.state = 'pending'
    OR (d.state = 'dead' AND d.ended_at >= :dead_before)
    OR (d.state = 'delivered' AND d.ended_at >= :delivered_before)
  )
)
RETURNING seq

-- name: shift_watches
UPDATE watches SET
  due_at = due_at + :delta, expires_at = expires_at + :delta,
  trouble_since = trouble_since + :delta, missing_since = missing_since + :delta,
  registered_at = registered_at + iif(registered_at >= :since, :delta, 0),
  last_polled_at = last_polled_at + iif(last_polled_at >= :since, :delta, 0)
WHERE state = 'watching'

-- name: shift_deliveries
UPDATE deliveries SET
  due_at = due_at + :delta, leased_until = leased_until + :delta, give_up_at = give_up_at + :delta
WHERE state = 'pending'

-- name: shift_endpoints
UPDATE endpoints SET
  due_at = due_at + :delta, closed_at = closed_at + :delta,
  probe_at = iif(closed_at IS NULL, probe_at, probe_at + :delta),
  paused_until = iif(closed_at IS NULL, paused_until, paused_until + :delta)
WHERE due_at IS NOT NULL OR closed_at IS NOT NULL

-- name: shift_ended_watches
UPDATE watches SET
  ended_at = ended_at + :delta,
  registered_at = registered_at + iif(registered_at >= :since, :delta, 0),
  last_polled_at = last_polled_at + iif(last_polled_at >= :since, :delta, 0)
WHERE ended_at >= :since

-- name: shift_ended_deliveries
UPDATE deliveries SET ended_at = ended_at + :delta
WHERE state IN ('delivered', 'dead') AND ended_at >= :since

-- name: shift_marks
UPDATE meta SET value = value + :delta WHERE key IN ('lived_at', 'anchor', 'since')

-- name: write_mark
INSERT INTO meta (key, value) VALUES (:key, :value)
ON CONFLICT (key) DO UPDATE SET value = excluded.value

-- name: read_marks
SELECT key, value FROM meta

-- name: release_watches
UPDATE watches SET owner = NULL, due_at = :now WHERE owner IS NOT NULL

-- name: release_deliveries
UPDATE deliveries SET owner = NULL, leased_until = NULL, due_at = :now, is_interrupted = 1
WHERE leased_until IS NOT NULL
RETURNING endpoint_seq

-- name: limit_due_times
UPDATE watches SET due_at = :latest
WHERE state = 'watching' AND provider_seq = :provider_seq AND due_at > :absurd
