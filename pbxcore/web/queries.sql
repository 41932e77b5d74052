-- Statements of api.py.

-- name: health
SELECT (SELECT position FROM stream WHERE shard = 0) AS position,
       EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database
               WHERE locktype = 'advisory' AND datname = current_database()
                 AND classid = 1886544747 AND objid = 0 AND granted) AS writing
