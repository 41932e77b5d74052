-- Prepaid accounts: what they have left, why, and what calls under way have set aside of it.

CREATE TABLE credit (
    account       text   PRIMARY KEY,
    balance_micro bigint NOT NULL
);
COMMENT ON TABLE credit IS 'What prepaid accounts have left: the sum of their booked entries.';

CREATE TABLE credit_entry (
    account       text        NOT NULL,
    reference     text        NOT NULL,
    amount_micro  bigint      NOT NULL,
    balance_micro bigint,
    author        text        NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (account, reference)
);
CREATE INDEX credit_entry_waiting ON credit_entry (created_at) WHERE balance_micro IS NULL;
COMMENT ON TABLE credit_entry IS 'Everything that changed a balance; rows are added, and booked once by the rater.';
COMMENT ON COLUMN credit_entry.reference IS 'What it is for, once per account: a payment, or `leg <key>`.';
COMMENT ON COLUMN credit_entry.balance_micro IS 'The balance after it; empty until it is booked.';

CREATE TABLE reservation (
    id          text   PRIMARY KEY,
    call        text   NOT NULL,
    account     text   NOT NULL,
    payer       text   NOT NULL,
    number      text   NOT NULL,
    why         text   NOT NULL,
    first_us    bigint NOT NULL,
    last_us     bigint NOT NULL,
    limit_s     bigint NOT NULL CHECK (limit_s > 0),
    money_micro bigint NOT NULL CHECK (money_micro >= 0),
    pools       jsonb  NOT NULL
);
COMMENT ON TABLE reservation IS
    'The most that calls under way can cost; gone with the rated leg, or when none can come any more.';
COMMENT ON COLUMN reservation.last_us IS 'Latest instant of the answer.';
COMMENT ON COLUMN reservation.pools IS 'Seconds set aside of each allowance.';

CREATE TABLE credit_turn (
    shard smallint PRIMARY KEY,
    epoch bigint   NOT NULL DEFAULT 0
);
INSERT INTO credit_turn (shard) VALUES (0);
COMMENT ON TABLE credit_turn IS
    'The epoch of the writer that may set money aside. A row of its own: rating a batch must not make a call wait.';

ALTER TABLE open_leg ADD COLUMN credit text NOT NULL DEFAULT '';
COMMENT ON COLUMN open_leg.credit IS 'What is set aside for it (reservation.id); empty for postpaid.';
