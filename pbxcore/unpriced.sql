-- name: accounts
-- These accounts as they are in force.
SELECT DISTINCT ON (id) id, document FROM revision WHERE kind = 'account' AND id = ANY ($1::text[])
ORDER BY id, revision DESC;

-- name: catalogues
-- Every version of these catalogues as it is in force.
SELECT DISTINCT ON (id) id, coalesce(spelled::text, document::text) AS document FROM revision
WHERE kind = 'catalogue' AND split_part(id, '@', 1) = ANY ($1::text[])
ORDER BY id, revision DESC;
