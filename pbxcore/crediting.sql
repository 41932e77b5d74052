-- name: paid
-- What an account was paid beside its contract, by the day of its clock. What its contract entered is named as $2 says.
SELECT (created_at AT TIME ZONE $3)::date AS day, sum(amount_micro)::bigint AS micro FROM credit_entry
WHERE account = $1 AND reference NOT LIKE 'leg %' AND reference !~ $2
GROUP BY day;

-- name: calls
-- What the calls of an account have cost, and what they have set aside.
SELECT coalesce(-sum(amount_micro), 0)::bigint AS calls_micro,
       (SELECT coalesce(sum(money_micro), 0)::bigint FROM reservation WHERE account = $1) AS held_micro
FROM credit_entry WHERE account = $1 AND reference LIKE 'leg %';

-- name: entered
SELECT reference, amount_micro FROM credit_entry WHERE account = $1 AND reference ~ $2 ORDER BY reference;

-- name: on_credit
-- Contracts of prepaid accounts, and their day by the account's clock.
SELECT contract.id, (now() AT TIME ZONE (newest.document ->> 'time_zone'))::date AS today
FROM contract CROSS JOIN LATERAL (SELECT document FROM revision WHERE kind = 'account' AND id = contract.account
                                  ORDER BY revision DESC LIMIT 1) AS newest
WHERE newest.document ->> 'payment' = 'prepaid' ORDER BY contract.id;
