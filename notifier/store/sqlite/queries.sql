-- The statements of the store, by name. The schema is in migrations/, PRAGMAs are in connection.py, open.py,
-- maintenance.py, backup.py and integrity.py. A set is passed as a JSON array. A + before a column keeps the
-- planner from choosing an index by it.

-- ---- watches: registering

-- name: names_before_adding
SELECT t.n AS live, p.seq AS provider_seq, a.seq AS api_path_seq, w.seq AS watch_seq,
  h.finishes, h.p5_ms, h.p50_ms, h.p90_ms, h.wait_ms, h.waiting
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
   first_poll_from, traceparent, poll_origin)
VALUES
  (:id, :provider_seq, :api_path_seq, :task_id, 'watching', :callbacks, :metadata, :registered_at, :expires_at,
   :due_at, :first_poll_from, :traceparent, :poll_origin)

-- name: set_callbacks
UPDATE watches SET callbacks = :callbacks WHERE seq = :seq

-- ---- watches: polling

-- name: queue_heads
-- What waits at a provider, by one row of an index each. A claimed watch is due when its lease ends.
SELECT p.seq AS provider_seq,
  EXISTS (SELECT 1 FROM watches WHERE queue = 2 AND provider_seq = p.seq) AS has_held,
  EXISTS (SELECT 1 FROM watches
    WHERE state = 'watching' AND provider_seq = p.seq AND queue = 1 AND due_at <= :now) AS has_troubled,
  (SELECT due_at FROM watches
    WHERE state = 'watching' AND provider_seq = p.seq AND queue = 0 AND due_at > :now AND owner IS NULL
    ORDER BY due_at LIMIT 1) AS next_regular_at,
  (SELECT due_at FROM watches
    WHERE state = 'watching' AND provider_seq = p.seq AND queue = 1 AND due_at > :now AND owner IS NULL
    ORDER BY due_at LIMIT 1) AS next_troubled_at
FROM providers p WHERE p.name = :provider

-- name: due_watches
-- With a bare :queue SQLite would plan anew at each call, to see whether a partial index on queue fits.
SELECT w.*, h.finishes, h.p5_ms, h.p50_ms, h.p90_ms FROM watch_rows w
LEFT JOIN habits h ON h.provider = :provider AND h.api_path = w.api_path
WHERE state = 'watching' AND provider_seq = :provider_seq AND queue = +:queue AND due_at <= :now
ORDER BY due_at LIMIT :limit

-- name: due_places
-- The same without the whole rows, for a choice among many.
SELECT seq, api_path_seq, due_at FROM watches
WHERE state = 'watching' AND provider_seq = :provider_seq AND queue = +:queue AND due_at <= :now
ORDER BY due_at LIMIT :limit

-- name: held_paths
-- From one api_path to the next, however many watches each of them holds.
WITH RECURSIVE held (seq) AS (
  SELECT * FROM (SELECT api_path_seq FROM watches WHERE queue = 2 AND provider_seq = :provider_seq
    ORDER BY api_path_seq LIMIT 1)
  UNION ALL
  SELECT (SELECT api_path_seq FROM watches
    WHERE queue = 2 AND provider_seq = :provider_seq AND api_path_seq > held.seq
    ORDER BY api_path_seq LIMIT 1)
  FROM held WHERE held.seq IS NOT NULL
)
SELECT seq, (SELECT path FROM api_paths WHERE api_paths.seq = held.seq) AS path
FROM held WHERE seq IS NOT NULL LIMIT :limit

-- name: held_places
SELECT seq, due_at, failures FROM watches
WHERE queue = 2 AND provider_seq = :provider_seq AND api_path_seq = :api_path_seq AND due_at <= :now
ORDER BY failures, due_at LIMIT :limit

-- name: names_of_paths
SELECT seq, path FROM api_paths WHERE seq IN (SELECT value FROM json_each(:seqs))

-- name: hold_watches
UPDATE watches SET queue = 2 WHERE seq IN (SELECT value FROM json_each(:seqs))

-- name: watches_to_claim
SELECT w.*, h.finishes, h.p5_ms, h.p50_ms, h.p90_ms FROM json_each(:seqs) j
CROSS JOIN watch_rows w ON w.seq = j.value
LEFT JOIN habits h ON h.provider = w.provider AND h.api_path = w.api_path

-- name: due_watches_past_deadline
SELECT * FROM watch_rows
WHERE state = 'watching' AND provider_seq = (SELECT seq FROM providers WHERE name = :provider)
  AND expires_at BETWEEN :deadline_from AND :now AND +due_at <= :now
ORDER BY expires_at LIMIT :limit

-- name: held_watches_past_deadline
-- paths: an object from the path to the earliest deadline that counts there.
SELECT w.* FROM json_each(:paths) j
CROSS JOIN api_paths a ON a.path = j.key
CROSS JOIN watch_rows w ON w.queue = 2 AND w.api_path_seq = a.seq
  AND w.provider_seq = (SELECT seq FROM providers WHERE name = :provider)
  AND w.expires_at BETWEEN j.value AND :now AND +w.due_at <= :now
LIMIT :limit

-- name: claim_watches
UPDATE watches SET owner = :owner, due_at = :until, first_poll_from = NULL
WHERE seq IN (SELECT value FROM json_each(:seqs))

-- name: recall_deferred
UPDATE watches SET due_at = paced_due_at, paced_due_at = NULL WHERE seq IN (
  SELECT seq FROM watches
  WHERE paced_due_at IS NOT NULL AND owner IS NULL
    AND provider_seq = (SELECT seq FROM providers WHERE name = :provider)
    AND api_path_seq = (SELECT seq FROM api_paths WHERE path = :api_path)
  LIMIT :limit)
RETURNING id

-- name: recall_throttled
UPDATE watches SET due_at = paced_due_at, paced_due_at = NULL WHERE seq IN (
  SELECT seq FROM watches
  WHERE paced_due_at IS NOT NULL AND owner IS NULL AND trouble = :trouble
    AND provider_seq = (SELECT seq FROM providers WHERE name = :provider)
  LIMIT :limit)
RETURNING id

-- name: deferred_paths
SELECT DISTINCT p.name AS provider, a.path AS api_path, w.trouble = :trouble AS is_throttled
FROM watches w CROSS JOIN providers p ON p.seq = w.provider_seq CROSS JOIN api_paths a ON a.seq = w.api_path_seq
WHERE w.paced_due_at IS NOT NULL
LIMIT :limit

-- name: list_breakers
SELECT * FROM provider_breakers

-- name: write_breaker
INSERT INTO provider_breakers
  (provider, api_path, failures, failing_since, blocked_at, reason, reason_params, probe_at, probes, paused_until)
VALUES
  (:provider, :api_path, :failures, :failing_since, :blocked_at, :reason, :reason_params, :probe_at, :probes,
   :paused_until)
ON CONFLICT (provider, api_path) DO UPDATE SET
  failures = excluded.failures, failing_since = excluded.failing_since, blocked_at = excluded.blocked_at,
  reason = excluded.reason, reason_params = excluded.reason_params, probe_at = excluded.probe_at,
  probes = excluded.probes, paused_until = excluded.paused_until

-- name: delete_breaker
DELETE FROM provider_breakers WHERE provider = :provider AND api_path = :api_path

-- name: record_wait
-- Of a regular watch that stays one, which is nearly every poll: it touches no index that has queue in it.
UPDATE watches SET
  due_at = :due_at, owner = NULL, interval_ms = :interval_ms, polls = polls + 1, last_polled_at = :now,
  upstream_status = :upstream_status, task_created_at = :task_created_at,
  trouble = :trouble, trouble_params = :trouble_params, trouble_since = :trouble_since,
  missing = :missing, missing_since = :missing_since
WHERE id = :id AND state = 'watching' AND owner = :owner AND round = :round AND polls = :polls AND queue = 0
RETURNING seq

-- name: record_wait_in_queue
-- Of any other: queue 0 means that the last poll did not fail, and that nothing defers the next one.
UPDATE watches SET
  due_at = :due_at, owner = NULL, interval_ms = :interval_ms, polls = polls + 1, last_polled_at = :now,
  upstream_status = :upstream_status, task_created_at = :task_created_at,
  trouble = :trouble, trouble_params = :trouble_params, trouble_since = :trouble_since,
  missing = :missing, missing_since = :missing_since,
  queue = :failures > 0, failures = :failures, paced_due_at = :paced_due_at
WHERE id = :id AND state = 'watching' AND owner = :owner AND round = :round AND polls = :polls
RETURNING seq

-- name: keep_completion
INSERT OR IGNORE INTO completions (watch_seq, body) VALUES (:watch_seq, :body)

-- name: completion_of_watch
SELECT c.body FROM completions c JOIN watches w ON w.seq = c.watch_seq WHERE w.id = :id

-- name: drop_completion
DELETE FROM completions WHERE watch_seq = :watch_seq

-- name: record_end
UPDATE watches SET
  state = :state, due_at = NULL, owner = NULL, polls = polls + :is_polled,
  last_polled_at = iif(:is_polled, :now, last_polled_at),
  upstream_status = :upstream_status, task_created_at = :task_created_at,
  trouble = NULL, trouble_params = NULL, trouble_since = NULL, missing = NULL, missing_since = NULL,
  queue = 0, failures = 0, paced_due_at = NULL,
  ended_at = :ended_at, finished_at = :finished_at, outputs = :outputs, result_expires_at = :result_expires_at,
  error = :error
WHERE id = :id AND state IN (SELECT value FROM json_each(:from_states))
  AND owner = :owner AND round = :round AND polls = :polls
RETURNING seq, callbacks

-- name: add_event
INSERT INTO events (id, watch_seq, round, type, at, body, result_expires_at)
VALUES (:id, :watch_seq, :round, :type, :at, :body, :result_expires_at)
RETURNING seq

-- name: add_payload
INSERT INTO payloads (event_seq, payload) VALUES (:event_seq, :payload)

-- ---- watches: learned durations

-- name: durations_of_path
SELECT finishes, sketch, wait_ms FROM habits WHERE provider = :provider AND api_path = :api_path

-- name: record_durations
INSERT INTO habits (provider, api_path, finishes, heard_at, p5_ms, p50_ms, p90_ms, sketch, wait_ms)
VALUES (:provider, :api_path, :finishes, :now, :p5_ms, :p50_ms, :p90_ms, :sketch, :wait_ms)
ON CONFLICT (provider, api_path) DO UPDATE SET
  finishes = excluded.finishes, heard_at = excluded.heard_at, p5_ms = excluded.p5_ms,
  p50_ms = excluded.p50_ms, p90_ms = excluded.p90_ms, sketch = excluded.sketch, wait_ms = excluded.wait_ms

-- name: count_waiting
UPDATE habits SET waiting = :waiting WHERE provider = :provider AND api_path = :api_path

-- name: bring_forward
-- First polls that wait longer than they would by what is known now. One that can come no further forward
-- leaves the index, so that the next step finds the others. Not "now" alone: a poll by hand is due before.
UPDATE watches SET
  due_at = min(due_at, max(registered_at + :wait_ms, first_poll_from, :now)),
  first_poll_from = iif(registered_at + :wait_ms > max(first_poll_from, :now), first_poll_from, NULL)
WHERE seq IN (
  SELECT w.seq FROM watches w
  WHERE w.provider_seq = (SELECT seq FROM providers WHERE name = :provider)
    AND w.api_path_seq = (SELECT seq FROM api_paths WHERE path = :api_path)
    AND w.first_poll_from IS NOT NULL AND w.due_at - w.registered_at > :wait_ms + :tolerance_ms
  LIMIT :limit)
RETURNING id

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
  state = :state, due_at = NULL, owner = NULL, first_poll_from = NULL, ended_at = :now,
  trouble = NULL, trouble_params = NULL, trouble_since = NULL, missing = NULL, missing_since = NULL,
  queue = 0, failures = 0, paced_due_at = NULL
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
SELECT at, type FROM (
  SELECT at, type, round FROM events WHERE watch_seq = :watch_seq ORDER BY round DESC LIMIT :limit
) ORDER BY round

-- name: deliveries_of_watch
-- The newest ones, oldest first.
SELECT * FROM delivery_rows WHERE seq IN (
  SELECT d.seq FROM events e CROSS JOIN deliveries d ON d.event_seq = e.seq
  WHERE e.watch_seq = :watch_seq ORDER BY d.seq DESC LIMIT :limit
) ORDER BY seq

-- name: poll_now
-- Due before everything else at its provider and in its path, however long the queues are. What never failed
-- is probed soon even if its path is blocked.
UPDATE watches SET queue = 0, failures = 0, paced_due_at = NULL, due_at = min(due_at, :now,
  coalesce((SELECT first.due_at - 1 FROM watches first
    WHERE first.state = 'watching' AND first.provider_seq = watches.provider_seq AND first.queue = 0
      AND first.seq <> watches.seq
    ORDER BY first.due_at LIMIT 1), :now),
  coalesce((SELECT first.due_at - 1 FROM watches first
    WHERE first.queue = 2 AND first.provider_seq = watches.provider_seq
      AND first.api_path_seq = watches.api_path_seq AND first.failures = 0 AND first.seq <> watches.seq
    ORDER BY first.due_at LIMIT 1), :now))
WHERE id = :id AND state = 'watching' AND owner IS NULL

-- ---- watches: reading

-- name: watch
SELECT * FROM watch_rows WHERE id = :id

-- name: latest_event
SELECT * FROM events WHERE watch_seq = :watch_seq ORDER BY round DESC LIMIT 1

-- name: event_of_round
SELECT * FROM events WHERE watch_seq = :watch_seq AND round = :round

-- name: payload_of_watch
-- Of the round that ended last, and only while no later one runs.
SELECT e.body, p.payload FROM watches w
CROSS JOIN events e ON e.watch_seq = w.seq AND e.round = w.round
LEFT JOIN payloads p ON p.event_seq = e.seq
WHERE w.id = :id

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
-- Where one endpoint of an origin worked last, the new ones of it go together, else one at a time.
SELECT seq, name, new_at AS due_at, is_trusted FROM origins
WHERE new_at <= :now AND name NOT IN (SELECT value FROM json_each(:full))
  AND (is_trusted = 1 OR name NOT IN (SELECT value FROM json_each(:tried)))
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

-- name: body_sizes
-- length() reads no more than the header of a blob.
SELECT d.seq, length(e.body) AS size FROM json_each(:seqs) j
CROSS JOIN deliveries d ON d.seq = j.value
CROSS JOIN events e ON e.seq = d.event_seq
ORDER BY j.key

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

-- ---- bulk changes

-- name: count_bulk_changes
SELECT count(*) AS n FROM bulk_changes WHERE action IN (SELECT value FROM json_each(:actions))

-- name: add_bulk_change
INSERT INTO bulk_changes
  (action, started_at, since, until, state, url, provider, api_path, expire_after_ms, place, last)
VALUES
  (:action, :now, :since, :until, :state, :url, :provider, :api_path, :expire_after_ms, :place, :last)

-- name: oldest_bulk_change
SELECT * FROM bulk_changes WHERE action IN (SELECT value FROM json_each(:actions)) ORDER BY seq LIMIT 1

-- name: move_bulk_change
UPDATE bulk_changes SET place = :place WHERE seq = :seq

-- name: end_bulk_change
DELETE FROM bulk_changes WHERE seq = :seq

-- ---- stops and resumes of all watches that match

-- name: last_watch
SELECT max(seq) AS seq FROM watches

-- name: count_watches_to_change
-- By the providers, so that the index has the states of each. A live watch has no end: its time is the start.
SELECT count(*) AS n, min(w.seq) AS first, max(w.seq) AS last FROM watches w
WHERE w.provider_seq IN (SELECT seq FROM providers
    WHERE :providers IS NULL OR name IN (SELECT value FROM json_each(:providers)))
  AND w.state IN (SELECT value FROM json_each(:states)) AND w.seq > :place AND w.seq <= :until_seq
  AND (:since IS NULL OR coalesce(w.ended_at, w.registered_at) >= :since)
  AND (:until IS NULL OR coalesce(w.ended_at, w.registered_at) < :until)
  AND (:api_path IS NULL OR w.api_path_seq = (SELECT seq FROM api_paths WHERE path = :api_path))

-- name: next_watches_to_change
SELECT w.seq, w.id, (SELECT name FROM providers WHERE seq = w.provider_seq) AS provider FROM watches w
WHERE w.provider_seq IN (SELECT seq FROM providers
    WHERE :providers IS NULL OR name IN (SELECT value FROM json_each(:providers)))
  AND w.state IN (SELECT value FROM json_each(:states)) AND w.seq > :place AND w.seq <= :until_seq
  AND (:since IS NULL OR coalesce(w.ended_at, w.registered_at) >= :since)
  AND (:until IS NULL OR coalesce(w.ended_at, w.registered_at) < :until)
  AND (:api_path IS NULL OR w.api_path_seq = (SELECT seq FROM api_paths WHERE path = :api_path))
ORDER BY w.seq LIMIT :limit

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
  (SELECT coalesce(sum(length(e.body) + coalesce(length(p.payload), 0)), 0)
   FROM events e LEFT JOIN payloads p ON p.event_seq = e.seq WHERE e.watch_seq = w.seq) AS body_bytes
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
  due_at = due_at + :delta, first_poll_from = first_poll_from + :delta,
  paced_due_at = paced_due_at + :delta, expires_at = expires_at + :delta,
  trouble_since = trouble_since + :delta, missing_since = missing_since + :delta,
  registered_at = registered_at + iif(registered_at >= :since, :delta, 0),
  last_polled_at = last_polled_at + iif(last_polled_at >= :since, :delta, 0)
WHERE state = 'watching'

-- name: shift_breakers
UPDATE provider_breakers SET
  failing_since = failing_since + :delta, blocked_at = blocked_at + :delta, probe_at = probe_at + :delta,
  paused_until = paused_until + :delta

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

-- name: shift_watch_changes
-- As the ends of watches and the registrations that they are compared with.
UPDATE bulk_changes SET
  since = since + iif(since >= :since, :delta, 0), until = until + iif(until >= :since, :delta, 0)
WHERE action <> 'replay'

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
UPDATE watches SET due_at = :latest WHERE seq IN (
  SELECT w.seq FROM json_each('[0, 1, 2]') j CROSS JOIN watches w
    ON w.state = 'watching' AND w.provider_seq = :provider_seq AND w.queue = +j.value AND w.due_at > :absurd)

-- name: limit_breaker_times
UPDATE provider_breakers SET probe_at = min(probe_at, :latest), paused_until = min(paused_until, :latest)
