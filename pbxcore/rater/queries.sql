-- Statements of book.py: which documents are in force.

-- name: in_force
SELECT DISTINCT ON (id) id, revision, document FROM revision WHERE kind = $1 ORDER BY id, revision DESC

-- name: payers
SELECT DISTINCT ON (id) id AS tenant, document ->> 'account' AS account FROM revision
WHERE kind = 'tenant'
ORDER BY id, revision DESC

-- name: payers_of
SELECT DISTINCT ON (id) id AS tenant, document ->> 'account' AS account FROM revision
WHERE kind = 'tenant' AND id = ANY ($1::text[])
ORDER BY id, revision DESC
