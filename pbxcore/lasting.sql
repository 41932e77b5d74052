-- name: newest
SELECT document FROM revision WHERE kind = $1 AND id = $2 ORDER BY revision DESC LIMIT 1;

-- name: has_legs
SELECT EXISTS (SELECT FROM rated_leg WHERE account = $1);

-- name: stand_otherwise
-- Whether a leg of a month that is not closed stands under another catalogue than these say, each from its instant on.
SELECT EXISTS (
    SELECT FROM rated_leg AS leg
    WHERE account = $1 AND tariff <> ''
      AND billing_month > coalesce((SELECT max(month) FROM closed_month WHERE account = $1), '-infinity')
      AND split_part(tariff, '@', 1) <> (
          SELECT stay.catalogue FROM unnest($2::text[], $3::bigint[]) AS stay (catalogue, first_us)
          WHERE stay.first_us <= leg.answered_us ORDER BY stay.first_us DESC LIMIT 1
      )
);

-- name: ported
-- Tenants in force, of these, that have a number whose porting is confirmed.
SELECT id, document
FROM (SELECT DISTINCT ON (id) id, document, removed FROM revision
      WHERE kind = 'tenant' AND id = ANY ($1::text[]) ORDER BY id, revision DESC) AS newest
WHERE NOT removed AND jsonb_path_exists(document, '$.numbers.*.porting.confirmed')
ORDER BY id;
