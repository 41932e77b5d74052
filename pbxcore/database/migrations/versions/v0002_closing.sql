-- A month of an account is closed once; before, its open legs are rated again, and what differs is added to the
-- rated stream as corrections.

-- First the lock that every writing transaction takes first. A writer of schema 0001 loses its turn by the new
-- epoch, and knows nothing of closed months: what it writes without billing_month is refused, its legs wait in
-- the spool.
UPDATE stream SET epoch = epoch + 1 WHERE epoch > 0;

ALTER TABLE stream ADD COLUMN rerating bigint NOT NULL DEFAULT 0;
COMMENT ON COLUMN stream.rerating IS
    'Counts re-ratings and closings. A writer that finds another count than last time reads balances and closed '
    'months again.';

ALTER TABLE rated_leg
    ADD COLUMN limit_s       bigint,
    ADD COLUMN billing_month date,
    ADD COLUMN corrects      bigint,
    ADD COLUMN correction    smallint NOT NULL DEFAULT 0;
UPDATE rated_leg SET billing_month = date_trunc('month', to_timestamp(ended_us / 1000000) AT TIME ZONE coalesce(
    (SELECT document ->> 'time_zone' FROM revision WHERE kind = 'account' AND id = rated_leg.account
     ORDER BY revision DESC LIMIT 1), 'UTC'))::date;
ALTER TABLE rated_leg
    ALTER COLUMN billing_month SET NOT NULL,
    DROP CONSTRAINT rated_leg_key_key,
    ADD CONSTRAINT rated_leg_key_correction UNIQUE (key, correction),
    DROP CONSTRAINT rated_leg_billable_s_check,
    ADD CONSTRAINT rated_leg_billable_s_check CHECK (billable_s >= 0 OR correction > 0),
    ADD CONSTRAINT rated_leg_corrects_check CHECK ((corrects IS NULL) = (correction = 0));
COMMENT ON COLUMN rated_leg.limit_s IS 'Longest duration that was authorised, 0 for none; empty if it was not kept.';
COMMENT ON COLUMN rated_leg.billing_month IS 'First day of the month whose invoice charges it.';
COMMENT ON COLUMN rated_leg.corrects IS 'Position of the leg that this row corrects; empty for a leg itself.';
COMMENT ON COLUMN rated_leg.correction IS '0: the leg. 1, 2, …: what it costs more or less than the rows before say.';

DROP INDEX rated_leg_account;
CREATE INDEX rated_leg_account ON rated_leg (account, billing_month, ended_us, key);
COMMENT ON INDEX rated_leg_account IS 'A month of an account in canonical order: by the end of each leg, then its key.';

CREATE TABLE closed_month (
    account   text        NOT NULL,
    month     date        NOT NULL CHECK (extract(day FROM month) = 1),
    position  bigint      NOT NULL,
    closed_by text        NOT NULL,
    closed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, month)
);
COMMENT ON TABLE closed_month IS 'Months that are closed, and with them every month before; rows are added, never changed.';
COMMENT ON COLUMN closed_month.position IS 'Of the newest row in the stream then: no later one is billed in this month.';
