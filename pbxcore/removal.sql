-- name: newest
SELECT revision, removed, author, created_at, document, document ->> 'name' AS name, document ->> 'account' AS account
FROM revision WHERE kind = 'tenant' AND id = $1 ORDER BY revision DESC LIMIT 1;

-- name: numbers
SELECT number FROM number WHERE tenant = $1 AND valid @> now() ORDER BY number;

-- name: remove
-- The same document once more, out of force.
INSERT INTO revision (kind, id, revision, document, source, author, entitlements, removed)
SELECT kind, id, revision + 1, document, source, $3, entitlements, true
FROM revision WHERE kind = 'tenant' AND id = $1 AND revision = $2;
