-- What a closed month leaves over is settled by its close. A close of schema 0006 keeps nothing: what it closed lapses.

CREATE TABLE kept_allowance (
    account       text   NOT NULL,
    bundle        text   NOT NULL,
    top_up        text   NOT NULL,
    period        date   NOT NULL,
    size          text   NOT NULL,
    booked_from   date   NOT NULL,
    tariff        text   NOT NULL,
    until         date   NOT NULL,
    fixed_s       bigint NOT NULL,
    mobile_s      bigint NOT NULL,
    fixed_left_s  bigint NOT NULL CHECK (fixed_left_s BETWEEN 0 AND fixed_s),
    mobile_left_s bigint NOT NULL CHECK (mobile_left_s BETWEEN 0 AND mobile_s),
    month         date   NOT NULL,
    PRIMARY KEY (account, period, bundle, top_up),
    FOREIGN KEY (account, month) REFERENCES closed_month (account, month)
);
COMMENT ON TABLE kept_allowance IS 'Allowances that may be drawn after their month, as its close settled them; rows are added, never changed.';
COMMENT ON COLUMN kept_allowance.top_up IS 'Empty for the bundle itself.';
COMMENT ON COLUMN kept_allowance.period IS 'First of its month, of a top-up the day on which it was bought: as in the name of its pools.';
COMMENT ON COLUMN kept_allowance.until IS 'Last day on which it may be drawn.';
COMMENT ON COLUMN kept_allowance.fixed_left_s IS 'What legs of closed months had left of fixed_s then; what is drawn later stands in pool_used.';
COMMENT ON COLUMN kept_allowance.month IS 'Whose close kept it.';
