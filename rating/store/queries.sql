-- Statements of the ledger. $n are the arguments of the function of the same name in ledger.py or stream.py.

-- name: try_turn
SELECT pg_try_advisory_lock(1886544747, $1)

-- name: begin_epoch
UPDATE stream SET epoch = epoch + 1 WHERE shard = $1 RETURNING epoch

-- name: hold
SELECT position, rerating FROM stream WHERE shard = $1 AND epoch = $2 FOR UPDATE

-- name: move
UPDATE stream SET position = $2 WHERE shard = $1

-- name: announce
SELECT pg_notify('rated', $1)

-- name: known
SELECT key FROM rated_leg WHERE key = ANY($1)
UNION ALL
SELECT key FROM quarantined_leg WHERE key = ANY($1)

-- name: used
SELECT account, pool, used_s FROM pool_used WHERE account = ANY($1)

-- name: last_closed
SELECT account, max(month) AS month FROM closed_month WHERE account = ANY($1) GROUP BY account

-- name: write_used
INSERT INTO pool_used (account, pool, used_s)
SELECT * FROM unnest($1::text[], $2::text[], $3::bigint[])
ON CONFLICT (account, pool) DO UPDATE SET used_s = excluded.used_s

-- name: quarantine
-- `leg` stays what was recorded. A request is cleared by the transaction that read it FOR UPDATE, so no other.
INSERT INTO quarantined_leg (key, reason, detail, leg)
SELECT * FROM unnest($1::text[], $2::text[], $3::text[], $4::jsonb[])
ON CONFLICT (key) DO UPDATE
SET reason = excluded.reason, detail = excluded.detail, release_at = NULL, tried_at = now()

-- name: settle
UPDATE quarantined_leg SET settled_at = now() WHERE key = ANY($1)

-- name: released
SELECT leg, release_payer, release_ended_us FROM quarantined_leg
WHERE settled_at IS NULL AND release_at IS NOT NULL
ORDER BY release_at, key LIMIT $1
FOR UPDATE

-- name: release
UPDATE quarantined_leg
SET release_at = now(), released_by = $2, release_payer = $3, release_ended_us = $4
WHERE key = $1 AND settled_at IS NULL
RETURNING key

-- name: release_all
-- Of one reason, those that have waited longest since they came or were rated in vain; each as it was recorded.
-- A request that the writer has not taken up yet stays as it is. The conditions stand twice: a row that somebody
-- holds is looked at again by the outer one.
UPDATE quarantined_leg
SET release_at = now(), released_by = $2, release_payer = NULL, release_ended_us = NULL
WHERE key IN (SELECT key FROM quarantined_leg WHERE settled_at IS NULL AND release_at IS NULL AND reason = $1
              ORDER BY coalesce(tried_at, quarantined_at), key LIMIT $3)
  AND settled_at IS NULL AND release_at IS NULL
RETURNING key

-- name: waiting
SELECT key, reason, detail, leg, quarantined_at, released_by, release_at FROM quarantined_leg
WHERE settled_at IS NULL
ORDER BY quarantined_at, key LIMIT $1

-- name: lying
-- By reason, of as many as $1 that have waited longest.
SELECT reason, count(*) AS legs, min(quarantined_at) AS oldest
FROM (SELECT reason, quarantined_at FROM quarantined_leg WHERE settled_at IS NULL
      ORDER BY quarantined_at, key LIMIT $1) AS waiting
GROUP BY reason ORDER BY legs DESC, reason

-- name: rated_since
SELECT * FROM rated_leg WHERE position > $1 ORDER BY position LIMIT $2

-- name: position
SELECT position FROM stream WHERE shard = $1

-- name: rated_of
SELECT * FROM rated_leg WHERE key = $1 ORDER BY correction

-- name: quarantined_of
SELECT key, reason, detail, leg, quarantined_at, released_by, release_at FROM quarantined_leg
WHERE key = $1 AND settled_at IS NULL

-- name: lock_stream
SELECT position, rerating FROM stream WHERE shard = $1 FOR UPDATE

-- name: count_rerating
UPDATE stream SET rerating = rerating + 1, position = $2 WHERE shard = $1

-- name: state
SELECT position, rerating FROM stream WHERE shard = $1

-- name: open_rows
-- A leg of schema 0001 has no limit: what it was charged is the most it may be charged.
SELECT position, key, linkedid, account, payer, why, number, tariff, country, kind, zone, answered_us, ended_us,
       duration_us, billable_s, connection_micro, amount_micro, currency,
       coalesce(limit_s, billable_s) AS limit_s, tax_class, prices, pieces, billing_month, correction
FROM rated_leg
WHERE account = $1 AND billing_month >= $2
ORDER BY billing_month, ended_us, key, correction

-- name: has_newer
SELECT EXISTS (SELECT FROM rated_leg WHERE position > $1 AND account = $2)

-- name: billed_accounts
-- From one account of the index to the next: there are few accounts and many legs.
WITH RECURSIVE one AS (
    (SELECT account FROM rated_leg WHERE account > '' ORDER BY account LIMIT 1)
    UNION ALL
    SELECT (SELECT account FROM rated_leg WHERE account > one.account ORDER BY account LIMIT 1)
    FROM one WHERE one.account IS NOT NULL
)
SELECT account FROM one WHERE account IS NOT NULL

-- name: closed
SELECT month, position, closed_by, closed_at FROM closed_month WHERE account = $1 AND month >= $2
ORDER BY month LIMIT 1

-- name: close
INSERT INTO closed_month (account, month, position, closed_by) VALUES ($1, $2, $3, $4)

-- name: keep
INSERT INTO kept_allowance (account, month, bundle, top_up, period, size, booked_from, tariff, until, fixed_s, mobile_s,
                            fixed_left_s, mobile_left_s)
SELECT $1, $2, * FROM unnest($3::text[], $4::text[], $5::date[], $6::text[], $7::date[], $8::text[], $9::date[],
                             $10::bigint[], $11::bigint[], $12::bigint[], $13::bigint[])

-- name: kept
-- What may be drawn in the last three closed months or later: for a leg that is late by more nothing rolls over.
WITH closed AS (
    SELECT account, max(month) AS month FROM closed_month WHERE account = ANY($1) GROUP BY account
)
SELECT closed.account, closed.month AS closed, bundle, top_up, period, size, booked_from, tariff, until,
       fixed_s, mobile_s, fixed_left_s, mobile_left_s
FROM closed LEFT JOIN kept_allowance AS kept ON kept.account = closed.account AND kept.until >= closed.month - interval '2 months'
ORDER BY closed.account, period, bundle, top_up

-- name: keepers
-- As billed_accounts: few accounts, many months.
WITH RECURSIVE one AS (
    (SELECT account FROM kept_allowance ORDER BY account LIMIT 1)
    UNION ALL
    SELECT (SELECT account FROM kept_allowance WHERE account > one.account ORDER BY account LIMIT 1)
    FROM one WHERE one.account IS NOT NULL
)
SELECT account FROM one WHERE account IS NOT NULL

-- name: kept_by
SELECT bundle, top_up, period, size, booked_from, tariff, until, fixed_s, mobile_s, fixed_left_s, mobile_left_s
FROM kept_allowance WHERE account = $1 AND month = $2
ORDER BY period, bundle, top_up

-- name: bill
SELECT currency, count(*) FILTER (WHERE correction = 0) AS legs, sum(billable_s)::bigint AS billable_s,
       sum(amount_micro)::bigint AS amount_micro
FROM rated_leg WHERE account = $1 AND billing_month = $2 AND currency <> ''
GROUP BY currency ORDER BY currency

-- name: waiting_before
SELECT split_part(leg ->> 'payer', '/', 1) AS tenant, count(*) AS legs FROM quarantined_leg
WHERE settled_at IS NULL AND (leg ->> 'ended_us')::bigint < $1
GROUP BY 1

-- name: spent
-- $2: where days begin. A leg is billed in the month of its answer or a later one, so the index finds them.
SELECT account, payer, width_bucket(answered_us, $2::bigint[]) AS day, sum(amount_micro)::bigint AS amount_micro
FROM rated_leg
WHERE account = ANY($1) AND billing_month >= $3 AND answered_us >= ($2::bigint[])[1]
GROUP BY 1, 2, 3
