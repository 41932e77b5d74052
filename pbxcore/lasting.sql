-- name: newest
SELECT document FROM revision WHERE kind = $1 AND id = $2 ORDER BY revision DESC LIMIT 1;

-- name: has_legs
SELECT EXISTS (SELECT FROM rated_leg WHERE account = $1);
