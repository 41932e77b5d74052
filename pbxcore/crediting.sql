-- name: balance
-- What an account was paid beside its contract, before an instant and since (without one: all of it since), what its
-- calls have cost, and what they have set aside. What its contract entered is named as $2 says.
WITH paid AS (
    SELECT amount_micro, created_at < coalesce($3::timestamptz, '-infinity') AS before FROM credit_entry
    WHERE account = $1 AND reference NOT LIKE 'leg %' AND reference !~ $2
)
SELECT (SELECT coalesce(sum(amount_micro), 0)::bigint FROM paid WHERE before) AS paid_before_micro,
       (SELECT coalesce(sum(amount_micro), 0)::bigint FROM paid WHERE NOT before) AS paid_micro,
       coalesce(-sum(amount_micro) FILTER (WHERE reference LIKE 'leg %'), 0)::bigint AS calls_micro,
       (SELECT coalesce(sum(money_micro), 0)::bigint FROM reservation WHERE account = $1) AS held_micro
FROM credit_entry WHERE account = $1;

-- name: carried
SELECT reference, amount_micro FROM credit_entry WHERE account = $1 AND reference ~ $2 ORDER BY reference;

-- name: on_credit
-- Contracts of prepaid accounts, and their day by the account's clock.
SELECT contract.id, (now() AT TIME ZONE (newest.document ->> 'time_zone'))::date AS today
FROM contract CROSS JOIN LATERAL (SELECT document FROM revision WHERE kind = 'account' AND id = contract.account
                                  ORDER BY revision DESC LIMIT 1) AS newest
WHERE newest.document ->> 'payment' = 'prepaid' ORDER BY contract.id;
