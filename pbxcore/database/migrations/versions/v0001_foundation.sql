-- Money is whole micro-units in bigint. Instants of calls are bigint microseconds since the epoch: exact, and
-- the same figure as in the leg record and in the stream. timestamptz is for when we did something.

CREATE EXTENSION IF NOT EXISTS btree_gist;

-- ---------------------------------------------------------------------------------- documents and numbers

CREATE TABLE revision (
    kind       text        NOT NULL CHECK (kind IN ('tenant', 'account', 'catalogue')),
    id         text        NOT NULL,
    revision   integer     NOT NULL CHECK (revision > 0),
    document   jsonb       NOT NULL,
    source     text        NOT NULL,
    author     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kind, id, revision)
);
COMMENT ON TABLE revision IS 'Every document that was ever in force; rows are added, never changed.';
COMMENT ON COLUMN revision.source IS 'The document as it was written, comments included.';

CREATE FUNCTION announce_revision() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('revision', NEW.kind || ' ' || NEW.id || ' ' || NEW.revision);
    RETURN NULL;
END $$;
CREATE TRIGGER announce AFTER INSERT ON revision FOR EACH ROW EXECUTE FUNCTION announce_revision();

CREATE TABLE number (
    number text      NOT NULL CHECK (number ~ '^\+[1-9][0-9]{1,14}$'),
    tenant text      NOT NULL,
    valid  tstzrange NOT NULL CHECK (NOT isempty(valid)),
    -- Deferrable: a number can move between tenants in one transaction, in any order of statements.
    CONSTRAINT number_has_one_tenant EXCLUDE USING gist (number WITH =, valid WITH &&) DEFERRABLE
);
CREATE INDEX number_tenant ON number (tenant);
COMMENT ON TABLE number IS 'Which tenant has which number when; never two at once.';

-- ------------------------------------------------------------------------------------------ the rated stream

CREATE TABLE stream (
    shard    smallint PRIMARY KEY,
    epoch    bigint   NOT NULL DEFAULT 0,
    position bigint   NOT NULL DEFAULT 0
);
INSERT INTO stream (shard) VALUES (0);
COMMENT ON TABLE stream IS
    'One row per writer. Every writing transaction locks it first: so the order of positions is the order of '
    'commits, and a reader past position n has seen everything up to n. epoch counts writers; one of an older '
    'epoch writes nothing.';

CREATE TABLE rated_leg (
    position         bigint      PRIMARY KEY,
    key              text        NOT NULL UNIQUE,
    linkedid         text        NOT NULL,
    account          text        NOT NULL,
    payer            text        NOT NULL,
    why              text        NOT NULL,
    number           text        NOT NULL,
    tariff           text        NOT NULL,
    country          text        NOT NULL,
    kind             text        NOT NULL,
    zone             text        NOT NULL,
    answered_us      bigint      NOT NULL,
    ended_us         bigint      NOT NULL,
    duration_us      bigint      NOT NULL CHECK (duration_us >= 0),
    billable_s       bigint      NOT NULL CHECK (billable_s >= 0),
    connection_micro bigint      NOT NULL,
    amount_micro     bigint      NOT NULL,
    currency         text        NOT NULL,
    pieces           jsonb       NOT NULL,
    rated_at         timestamptz NOT NULL DEFAULT now()
);
CREATE INDEX rated_leg_account ON rated_leg (account, ended_us, key);
COMMENT ON TABLE rated_leg IS 'The rated stream; rows are added, never changed.';
COMMENT ON INDEX rated_leg_account IS 'A month of an account in canonical order: by the end of each leg, then its key.';

CREATE TABLE pool_used (
    account text   NOT NULL,
    pool    text   NOT NULL,
    used_s  bigint NOT NULL CHECK (used_s >= 0),
    PRIMARY KEY (account, pool)
);
COMMENT ON TABLE pool_used IS 'Seconds drawn from each allowance, by the rated legs and nothing else.';

CREATE TABLE quarantined_leg (
    key              text        PRIMARY KEY,
    reason           text        NOT NULL,
    detail           text        NOT NULL,
    leg              jsonb       NOT NULL,
    quarantined_at   timestamptz NOT NULL DEFAULT now(),
    released_by      text,
    release_at       timestamptz,
    release_payer    text,
    release_ended_us bigint,
    settled_at       timestamptz
);
CREATE INDEX quarantined_leg_waiting ON quarantined_leg (quarantined_at, key) WHERE settled_at IS NULL;
CREATE INDEX quarantined_leg_release ON quarantined_leg (release_at, key)
    WHERE settled_at IS NULL AND release_at IS NOT NULL;
COMMENT ON COLUMN quarantined_leg.release_at IS 'When somebody asked to rate it again; empty while it waits.';
COMMENT ON COLUMN quarantined_leg.release_payer IS 'Who pays instead of the one that was recorded, or was not.';
COMMENT ON COLUMN quarantined_leg.release_ended_us IS 'When the leg ended, where no record or a wrong one says so.';
COMMENT ON COLUMN quarantined_leg.settled_at IS 'When it became a rated leg.';

-- ------------------------------------------------------------------------------------------------ the intake

CREATE TABLE spool_position (
    spool      text        PRIMARY KEY,
    file       text        NOT NULL,
    line_end   bigint      NOT NULL CHECK (line_end >= 0),
    last_us    bigint      NOT NULL,
    updated_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON COLUMN spool_position.file IS 'Digest of the first line: the same after rename, copy and restart.';
COMMENT ON COLUMN spool_position.last_us IS 'Time of the newest record taken in: the last sign of life.';

CREATE TABLE open_leg (
    key         text    PRIMARY KEY,
    spool       text    NOT NULL,
    linkedid    text    NOT NULL,
    trunk       text    NOT NULL,
    alone       boolean NOT NULL,
    asked       boolean NOT NULL,
    answered_us bigint,
    seen_us     bigint  NOT NULL,
    named       boolean NOT NULL,
    payer       text    NOT NULL,
    why         text    NOT NULL,
    number      text    NOT NULL,
    limit_s     bigint  NOT NULL,
    version     text    NOT NULL
);
CREATE INDEX open_leg_spool ON open_leg (spool);
COMMENT ON TABLE open_leg IS 'Trunk channels under way at spool_position, with what their records said so far.';

CREATE TABLE quarantined_line (
    spool          text        NOT NULL,
    file           text        NOT NULL,
    line_start     bigint      NOT NULL,
    reason         text        NOT NULL,
    line           bytea       NOT NULL,
    quarantined_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (spool, file, line_start)
);
COMMENT ON TABLE quarantined_line IS 'Lines of the spool that are no record; kept as they were.';
