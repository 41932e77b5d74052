-- Statements of credit.py.

-- name: begin
-- Waits for a statement of the writer before, which then finds another epoch here.
UPDATE credit_turn SET epoch = $2 WHERE shard = $1

-- name: balances
SELECT account, balance_micro FROM credit

-- name: reservations
SELECT * FROM reservation

-- name: reservations_of
SELECT * FROM reservation WHERE account = $1

-- name: bound
SELECT credit FROM open_leg WHERE credit <> '' AND answered_us IS NOT NULL
UNION ALL
SELECT leg ->> 'credit' FROM quarantined_leg WHERE settled_at IS NULL AND leg ->> 'credit' <> ''

-- name: set_aside
WITH turn AS (SELECT FROM credit_turn WHERE shard = $1 AND epoch = $2 FOR SHARE)
INSERT INTO reservation (id, call, account, payer, number, why, first_us, last_us, limit_s, money_micro, pools)
SELECT one.* FROM turn, unnest($3::text[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[],
                               $9::bigint[], $10::bigint[], $11::bigint[], $12::bigint[], $13::jsonb[])
    AS one (id, call, account, payer, number, why, first_us, last_us, limit_s, money_micro, pools)

-- name: set_aside_more
-- Of those that are still there. Rows are locked in the order in which `release` locks them.
WITH turn AS (SELECT FROM credit_turn WHERE shard = $1 AND epoch = $2 FOR SHARE),
     there AS (SELECT id FROM reservation WHERE id = ANY($3) ORDER BY id FOR UPDATE),
     done AS (
         UPDATE reservation
         SET first_us = one.first_us, last_us = one.last_us, limit_s = one.limit_s,
             money_micro = one.money_micro, pools = one.pools
         FROM turn, there JOIN unnest($3::text[], $4::bigint[], $5::bigint[], $6::bigint[], $7::bigint[], $8::jsonb[])
             AS one (id, first_us, last_us, limit_s, money_micro, pools) USING (id)
         WHERE reservation.id = there.id)
SELECT count(*) FROM turn

-- name: release
DELETE FROM reservation
WHERE id IN (SELECT id FROM reservation WHERE id = ANY($1) ORDER BY id FOR UPDATE)

-- name: write_balances
INSERT INTO credit (account, balance_micro)
SELECT * FROM unnest($1::text[], $2::bigint[])
ON CONFLICT (account) DO UPDATE SET balance_micro = excluded.balance_micro

-- name: write_entries
INSERT INTO credit_entry (account, reference, amount_micro, balance_micro, author)
SELECT *, 'rater' FROM unnest($1::text[], $2::text[], $3::bigint[], $4::bigint[])

-- name: waiting
SELECT account, reference, amount_micro FROM credit_entry
WHERE balance_micro IS NULL
ORDER BY created_at, account, reference LIMIT $1

-- name: book
UPDATE credit_entry SET balance_micro = booked.balance_micro
FROM unnest($1::text[], $2::text[], $3::bigint[]) AS booked (account, reference, balance_micro)
WHERE (credit_entry.account, credit_entry.reference) = (booked.account, booked.reference)

-- name: add
INSERT INTO credit_entry (account, reference, amount_micro, author) VALUES ($1, $2, $3, $4)
ON CONFLICT DO NOTHING

-- name: entry
SELECT amount_micro, balance_micro FROM credit_entry WHERE account = $1 AND reference = $2

-- name: announce
SELECT pg_notify('credit', $1)

-- name: statement
SELECT coalesce((SELECT balance_micro FROM credit WHERE account = $1), 0)::bigint AS balance_micro,
       coalesce((SELECT sum(money_micro) FROM reservation WHERE account = $1), 0)::bigint AS reserved_micro,
       (SELECT count(*) FROM reservation WHERE account = $1) AS calls,
       coalesce((SELECT sum(amount_micro) FROM credit_entry
                 WHERE account = $1 AND balance_micro IS NULL), 0)::bigint AS waiting_micro
