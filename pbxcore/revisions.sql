-- name: history
SELECT kind, id, revision, author, created_at FROM revision
WHERE id = $1 ORDER BY kind, revision DESC LIMIT $2;

-- name: one
SELECT kind, id, revision, source, document, author, created_at FROM revision
WHERE kind = $1 AND id = $2 AND revision = $3;

-- name: newest
SELECT kind, id, revision, source, document, author, created_at FROM revision
WHERE kind = $1 AND id = $2 ORDER BY revision DESC LIMIT 1;
