-- name: concerned
-- These contracts of accounts, those of these accounts, and of those that these tenants have had until now.
SELECT id, account FROM contract WHERE account IS NOT NULL AND (
    id = ANY ($1::text[]) OR account = ANY ($2::text[]) OR account IN (
        SELECT document ->> 'account'
        FROM (SELECT DISTINCT ON (id) document FROM revision
              WHERE kind = 'tenant' AND id = ANY ($3::text[]) ORDER BY id, revision DESC) AS until_now))
ORDER BY id;

-- name: tenants
-- The tenants of an account that are in force, as they are stored.
SELECT newest.id, newest.revision, newest.document, newest.entitlements
FROM (SELECT DISTINCT id FROM revision WHERE kind = 'tenant' AND document ->> 'account' = $1) AS ever
CROSS JOIN LATERAL (SELECT id, revision, document, entitlements, removed FROM revision
                    WHERE kind = 'tenant' AND id = ever.id ORDER BY revision DESC LIMIT 1) AS newest
WHERE newest.document ->> 'account' = $1 AND NOT newest.removed ORDER BY newest.id;

-- name: tenanted
-- Whether a tenant ever belonged to an account.
SELECT EXISTS (SELECT FROM revision WHERE kind = 'tenant' AND document ->> 'account' = $1);

-- name: zone
SELECT document ->> 'time_zone' FROM revision WHERE kind = 'account' AND id = $1 ORDER BY revision DESC LIMIT 1;

-- name: payment
SELECT coalesce(document ->> 'payment', 'postpaid') FROM revision WHERE kind = 'account' AND id = $1
ORDER BY revision DESC LIMIT 1;

-- name: entitle
-- The same document once more, with what its contract lets it use from now on.
INSERT INTO revision (kind, id, revision, document, source, author, entitlements)
SELECT kind, id, revision + 1, document, source, $3, $4::text::jsonb
FROM revision WHERE kind = 'tenant' AND id = $1 AND revision = $2;
