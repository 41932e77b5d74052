-- Statements of the intake's memory (memory.py).

-- name: position
SELECT file, line_end, last_us FROM spool_position WHERE spool = $1

-- name: write_position
INSERT INTO spool_position (spool, file, line_end, last_us) VALUES ($1, $2, $3, $4)
ON CONFLICT (spool) DO UPDATE
SET file = excluded.file, line_end = excluded.line_end, last_us = excluded.last_us, updated_at = now()

-- name: open_legs
SELECT * FROM open_leg WHERE spool = $1

-- name: delete_open_legs
DELETE FROM open_leg WHERE key = ANY($1)

-- name: write_bad_lines
INSERT INTO quarantined_line (spool, file, line_start, reason, line)
SELECT $1, $2, * FROM unnest($3::bigint[], $4::text[], $5::bytea[])
ON CONFLICT DO NOTHING
