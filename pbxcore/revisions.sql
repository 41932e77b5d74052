-- name: history
-- Of every document of this name, a contract's facts among them, and what each of those says.
SELECT kind, id, revision, author, created_at, '' AS what FROM revision WHERE id = $1
UNION ALL
SELECT 'contract', contract, number, author, recorded_at,
       (SELECT string_agg(key, ' ') FROM json_object_keys(event) AS key WHERE key NOT IN ('on', 'at'))
       || ' of ' || (event ->> 'on')
FROM contract_fact WHERE contract = $1
ORDER BY kind, revision DESC LIMIT $2;

-- name: one
SELECT kind, id, revision, source, document, entitlements, author, created_at FROM revision
WHERE kind = $1 AND id = $2 AND revision = $3;

-- name: newest
SELECT kind, id, revision, source, document, entitlements, author, created_at FROM revision
WHERE kind = $1 AND id = $2 ORDER BY revision DESC LIMIT 1;

-- name: names
-- Of every document, or of one kind.
SELECT DISTINCT id FROM revision WHERE $1 IN ('', kind) ORDER BY id;

-- name: newest_entry
SELECT kind, id, revision, author, created_at FROM revision
WHERE kind = $1 AND id = $2 ORDER BY revision DESC LIMIT 1;

-- name: newer
SELECT kind, id, revision, author, created_at FROM revision
WHERE kind = $1 AND id = $2 AND revision > $3 ORDER BY revision DESC LIMIT $4;

-- name: tenants
-- Every tenant as it is in force. Numbers are those that lead here now.
SELECT newest.id, document ->> 'name' AS name, document ->> 'account' AS account, revision,
       created_at AS since, author,
       (SELECT count(*) FROM jsonb_object_keys(document -> 'extensions')) AS extensions,
       coalesce(held.numbers, '{}') AS numbers
FROM (SELECT DISTINCT ON (id) * FROM revision WHERE kind = 'tenant' ORDER BY id, revision DESC) AS newest
LEFT JOIN (SELECT tenant, array_agg(number ORDER BY number) AS numbers FROM number WHERE valid @> now() GROUP BY tenant) AS held
       ON held.tenant = newest.id
ORDER BY newest.id;

-- name: newest_of_all
SELECT DISTINCT ON (id) id, revision, created_at AS since FROM revision
WHERE kind = 'tenant' ORDER BY id, revision DESC;

-- name: same
-- The newest revision that says what a document says.
SELECT max(revision) FROM revision WHERE kind = $1 AND id = $2 AND document = $3::text::jsonb;

-- name: tenant_of_number
SELECT tenant FROM number WHERE number = $1 AND valid @> now();
