-- name: rated
-- What became of the legs of one call.
SELECT position, key, account, payer, why, number, tariff, country, kind, zone,
       duration_us, billable_s, connection_micro, amount_micro, currency, pieces
FROM rated_leg WHERE linkedid = $1 AND account = $2 AND correction = 0 ORDER BY position;

-- name: used
-- How many legs of an account have been rated, and what they drew.
SELECT count(*) FILTER (WHERE correction = 0) AS legs, coalesce(sum(billable_s), 0) AS seconds FROM rated_leg WHERE account = $1;
