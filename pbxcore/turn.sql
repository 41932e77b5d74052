-- name: limit
-- Of this session alone; the server gives up waiting for any lock after it.
SELECT set_config('lock_timeout', $1, false);

-- name: take
SELECT pg_advisory_lock(hashtext($1));

-- name: give_back
SELECT pg_advisory_unlock(hashtext($1));

-- name: holder
-- A lock of one number stands there in two halves.
SELECT application_name AS who, extract(epoch FROM now() - backend_start)::int AS seconds
FROM pg_locks JOIN pg_stat_activity USING (pid)
WHERE locktype = 'advisory' AND granted AND objsubid = 1
  AND pg_locks.database = (SELECT oid FROM pg_database WHERE datname = current_database())
  AND ((classid::bigint << 32) | objid::bigint) = hashtext($1)::bigint
LIMIT 1;
