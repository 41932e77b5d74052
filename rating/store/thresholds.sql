-- Statements of thresholds.py.

-- name: tell
-- One writer at a time holds the stream: nobody else takes these positions.
INSERT INTO threshold_event (position, account, pool, percent, granted_s, used_s, rated_position)
SELECT (SELECT coalesce(max(position), 0) FROM threshold_event) + row_number() OVER (ORDER BY place),
       account, pool, percent, granted_s, used_s, $6
FROM unnest($1::text[], $2::text[], $3::int[], $4::bigint[], $5::bigint[])
     WITH ORDINALITY AS new (account, pool, percent, granted_s, used_s, place)
WHERE NOT EXISTS (SELECT FROM threshold_event AS told
                  WHERE told.account = new.account AND told.pool = new.pool AND told.percent = new.percent)

-- name: since
SELECT position, account, pool, percent, granted_s, used_s, rated_position, raised_at FROM threshold_event
WHERE position > $1 ORDER BY position LIMIT $2

-- name: newest
SELECT coalesce(max(position), 0) FROM threshold_event
