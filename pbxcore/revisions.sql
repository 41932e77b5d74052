-- name: history
-- Of every document of this name, a contract's facts among them, and what each of those says. Of the others where each
-- differs from the one before, to the second key, and which earlier one said the same. Shown are not the documents: a
-- catalogue with its price lists has megabytes.
SELECT shown.kind, shown.id, shown.revision, author, created_at, '' AS what, before IS NULL AS alone, said_before,
       entitlements IS DISTINCT FROM entitled_before AS entitled, removed, removed_before, changed.paths
FROM (SELECT *, lag(document) OVER documents AS before, lag(entitlements) OVER documents AS entitled_before,
             lag(removed) OVER documents AS removed_before,
             lag(revision) OVER (PARTITION BY kind, md5(document::text) ORDER BY revision) AS said_before
      FROM (SELECT * FROM revision WHERE id = $1 AND $3 IN ('', kind)
            ORDER BY kind, revision DESC LIMIT $2) AS newest
      WINDOW documents AS (PARTITION BY kind ORDER BY revision)) AS shown
CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(outer_key || coalesce('.' || inner_key, '') ORDER BY outer_key, inner_key), '{}') AS paths
    FROM jsonb_object_keys(document || before) AS outer_key
    LEFT JOIN LATERAL jsonb_object_keys(
        CASE WHEN jsonb_typeof(document -> outer_key) = 'object' AND jsonb_typeof(before -> outer_key) = 'object'
             THEN (document -> outer_key) || (before -> outer_key) ELSE '{}' END) AS inner_key ON true
    WHERE document -> outer_key IS DISTINCT FROM before -> outer_key
      AND (inner_key IS NULL
           OR document -> outer_key -> inner_key IS DISTINCT FROM before -> outer_key -> inner_key)) AS changed
UNION ALL
SELECT 'contract', contract, number, author, recorded_at,
       (SELECT string_agg(key, ' ') FROM json_object_keys(event) AS key WHERE key NOT IN ('on', 'at'))
       || ' of ' || (event ->> 'on'), false, NULL, false, false, false, '{}'
FROM contract_fact WHERE contract = $1 AND $3 IN ('', 'contract')
ORDER BY kind, revision DESC LIMIT $2;

-- name: one
SELECT kind, id, revision, source, document, entitlements, author, created_at, removed FROM revision
WHERE kind = $1 AND id = $2 AND revision = $3;

-- name: newest
SELECT kind, id, revision, source, document, entitlements, author, created_at, removed FROM revision
WHERE kind = $1 AND id = $2 ORDER BY revision DESC LIMIT 1;

-- name: names
-- Of every document, or of one kind; a contract has facts instead of revisions.
SELECT id FROM revision WHERE $1 IN ('', kind) UNION SELECT id FROM contract WHERE $1 IN ('', 'contract') ORDER BY id;

-- name: newer
SELECT kind, id, revision, author, created_at, removed FROM revision
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
WHERE NOT removed
ORDER BY newest.id;

-- name: newest_of_all
-- Of the tenants that are in force.
SELECT id, revision, since
FROM (SELECT DISTINCT ON (id) id, revision, created_at AS since, removed FROM revision
      WHERE kind = 'tenant' ORDER BY id, revision DESC) AS newest
WHERE NOT removed;

-- name: same
-- The newest revision that put in force what a document says: one that took it out of force has the same document.
SELECT max(revision) FROM revision WHERE kind = $1 AND id = $2 AND document = $3::text::jsonb AND NOT removed;

-- name: tenant_of_number
SELECT tenant FROM number WHERE number = $1 AND valid @> now();
