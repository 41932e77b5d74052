-- What was reached is told once for each pool and its period, with the legs that drew. A rater of schema 0004 goes on
-- and tells nothing; the first leg that a newer one rates makes up for it.

CREATE TABLE threshold_event (
    position       bigint      PRIMARY KEY,
    account        text        NOT NULL,
    pool           text        NOT NULL,
    percent        smallint    NOT NULL CHECK (percent > 0),
    granted_s      bigint      NOT NULL,
    used_s         bigint      NOT NULL,
    rated_position bigint      NOT NULL,
    raised_at      timestamptz NOT NULL DEFAULT now(),
    UNIQUE (account, pool, percent)
);
COMMENT ON TABLE threshold_event IS 'Allowances of which so much is used; rows are added, never changed.';
COMMENT ON COLUMN threshold_event.rated_position IS 'Of the newest rated leg of the transaction that reached it.';
