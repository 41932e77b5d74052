-- name: latest
SELECT revision, document, entitlements, spelled, removed FROM revision WHERE kind = $1 AND id = $2 ORDER BY revision DESC LIMIT 1;

-- name: same_document
-- Whether two revisions say the same: what came between was what a contract lets the tenant use.
SELECT count(DISTINCT (document, removed)) = 1 FROM revision WHERE kind = $1 AND id = $2 AND revision IN ($3, $4)
HAVING count(*) = 2;

-- name: known
-- Which of these documents there are.
SELECT DISTINCT id FROM revision WHERE kind = $1 AND id = ANY ($2::text[]);

-- name: payments
-- How these accounts pay, as they are in force.
SELECT DISTINCT ON (id) id, coalesce(document ->> 'payment', 'postpaid') AS payment
FROM revision WHERE kind = 'account' AND id = ANY ($1::text[]) ORDER BY id, revision DESC;

-- name: in_force
-- The newest revision of every document of a kind, in the order in which it was written if that counts.
SELECT DISTINCT ON (id) id, revision, coalesce(spelled::text, document::text) AS document FROM revision WHERE kind = $1 ORDER BY id, revision DESC;

-- name: holders
-- Who has these numbers now, other than the tenants of this change.
SELECT number, tenant FROM number
WHERE number = ANY ($1::text[]) AND upper_inf(valid) AND NOT tenant = ANY ($2::text[]);

-- name: store
INSERT INTO revision (kind, id, revision, document, source, author, entitlements, spelled)
VALUES ($1, $2, $3, $4::text::jsonb, $5, $6, $7::text::jsonb,
        CASE WHEN $1 = 'catalogue' THEN $4::text::json END);

-- name: instant
-- That of the transaction: the revisions that it stores carry it.
SELECT now();

-- name: stored
-- Whether a transaction that never answered was committed: its first revision, or fact, by its own instant.
SELECT EXISTS (SELECT FROM revision
               WHERE kind = $1 AND id = $2 AND revision = $3 AND created_at = $4 AND author = $5)
    OR EXISTS (SELECT FROM contract_fact WHERE $1 = 'contract' AND contract = $2 AND number = $3
               AND recorded_at = $4 AND author = $5);

-- name: defer
SET CONSTRAINTS number_has_one_tenant DEFERRED;

-- name: forget_numbers
-- A number that came and goes in one instant has never been there.
DELETE FROM number WHERE tenant = $1 AND NOT number = ANY ($2::text[]) AND lower(valid) >= now();

-- name: end_numbers
UPDATE number SET valid = tstzrange(lower(valid), now())
WHERE tenant = $1 AND NOT number = ANY ($2::text[]) AND upper_inf(valid);

-- name: begin_numbers
INSERT INTO number (number, tenant, valid)
SELECT wanted, $1, tstzrange(now(), NULL) FROM unnest($2::text[]) AS wanted
WHERE NOT EXISTS (SELECT 1 FROM number WHERE number = wanted AND tenant = $1 AND upper_inf(valid));

-- name: tenants_in_force
-- What ought to be published, and what was taken out of force since.
SELECT DISTINCT ON (id) id, revision, removed FROM revision WHERE kind = 'tenant' ORDER BY id, revision DESC;

-- name: documents
-- The newest revisions of these tenants, with what their contracts let them use.
-- (An array of anything but text costs asyncpg 15 ms on a new connection.)
SELECT DISTINCT ON (id) id, revision,
       CASE WHEN entitlements IS NULL THEN document
            ELSE document || jsonb_build_object('entitlements', entitlements) END AS document
FROM revision
WHERE kind = 'tenant' AND id = ANY ($1::text[]) ORDER BY id, revision DESC;

-- name: said_before
-- Earlier revisions of tenants that say what a revision says that is not in force yet: after a rollback. A removal says
-- what was there before it, and does not count. The second array is what is in force, as text for the same reason.
SELECT newer.id, older.revision
FROM unnest($1::text[], $2::text[]) AS late (id, there)
CROSS JOIN LATERAL (SELECT coalesce(max(revision), 0) AS at FROM revision
                    WHERE kind = 'tenant' AND revision.id = late.id AND removed) AS gone
JOIN revision AS newer ON newer.kind = 'tenant' AND newer.id = late.id
                      AND newer.revision > greatest(late.there::integer, gone.at)
JOIN revision AS older ON older.kind = 'tenant' AND older.id = newer.id AND older.revision < newer.revision
                      AND older.document = newer.document;

-- name: strangers
-- Tenants that were taken out of force since what is published, and came back with nothing that the revisions between
-- that removal and the one before had said. The second array as above.
SELECT late.id
FROM unnest($1::text[], $2::text[]) AS late (id, there)
CROSS JOIN LATERAL (SELECT max(revision) AS at FROM revision
                    WHERE kind = 'tenant' AND revision.id = late.id AND removed) AS gone
WHERE gone.at > late.there::integer AND NOT EXISTS (
    SELECT FROM revision AS newer
    JOIN revision AS older ON older.kind = 'tenant' AND older.id = late.id AND older.document = newer.document
                          AND older.revision < gone.at
    WHERE newer.kind = 'tenant' AND newer.id = late.id AND newer.revision > gone.at
      AND older.revision > (SELECT coalesce(max(revision), 0) FROM revision
                            WHERE kind = 'tenant' AND id = late.id AND removed AND revision < gone.at));

-- name: on_credit
-- Tenants whose account, as it is in force, is prepaid or has spend limits. Where none is, tenants are not looked at.
WITH asking AS MATERIALIZED (
    SELECT id, payment = 'prepaid' AS prepaid
    FROM (SELECT DISTINCT ON (id) id, coalesce(document ->> 'payment', '') AS payment,
                                  jsonb_typeof(document -> 'spend_limits') = 'object' AS limited
          FROM revision WHERE kind = 'account' ORDER BY id, revision DESC) AS account
    WHERE payment = 'prepaid' OR limited)
SELECT tenant.id AS tenant, asking.prepaid
FROM (SELECT DISTINCT ON (id) id, document ->> 'account' AS account, removed FROM revision
      WHERE kind = 'tenant' AND EXISTS (SELECT FROM asking)
      ORDER BY id, revision DESC) AS tenant
JOIN asking ON asking.id = tenant.account AND NOT tenant.removed;
