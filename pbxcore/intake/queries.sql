-- Statements of the intake's memory (memory.py).

-- name: position
SELECT file, line_end, last_us FROM spool_position WHERE spool = $1

-- name: write_position
INSERT INTO spool_position (spool, file, line_end, last_us) VALUES ($1, $2, $3, $4)
ON CONFLICT (spool) DO UPDATE
SET file = excluded.file, line_end = excluded.line_end, last_us = excluded.last_us, updated_at = now()

-- name: open_legs
SELECT * FROM open_leg WHERE spool = $1

-- name: write_open_legs
INSERT INTO open_leg (spool, key, linkedid, trunk, alone, asked, answered_us, seen_us,
                      named, payer, why, number, limit_s, version, credit)
SELECT $1, * FROM unnest($2::text[], $3::text[], $4::text[], $5::bool[], $6::bool[], $7::bigint[], $8::bigint[],
                         $9::bool[], $10::text[], $11::text[], $12::text[], $13::bigint[], $14::text[],
                         $15::text[])
ON CONFLICT (key) DO UPDATE
SET asked = excluded.asked, answered_us = excluded.answered_us, seen_us = excluded.seen_us,
    named = excluded.named, payer = excluded.payer, why = excluded.why, number = excluded.number,
    limit_s = excluded.limit_s, version = excluded.version, credit = excluded.credit

-- name: delete_open_legs
DELETE FROM open_leg WHERE key = ANY($1)

-- name: write_bad_lines
INSERT INTO quarantined_line (spool, file, line_start, reason, line)
SELECT $1, $2, * FROM unnest($3::bigint[], $4::text[], $5::bytea[])
ON CONFLICT DO NOTHING
