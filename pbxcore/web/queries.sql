-- Statements of api.py.

-- name: tenants
SELECT DISTINCT ON (id) id AS tenant, document ->> 'name' AS name, document ->> 'account' AS account, revision,
       created_at AS since,
       ARRAY(SELECT number.number FROM number WHERE number.tenant = revision.id AND number.valid @> now()
             ORDER BY 1) AS numbers
FROM revision WHERE kind = 'tenant'
ORDER BY id, revision DESC

-- name: health
SELECT (SELECT position FROM stream WHERE shard = 0) AS position,
       EXISTS (SELECT FROM pg_locks JOIN pg_database ON pg_database.oid = database
               WHERE locktype = 'advisory' AND datname = current_database()
                 AND classid = 1886544747 AND objid = 0 AND granted) AS writing
