-- A program of schema 0005 goes on: it knows no contracts in the database, and changes tenants as before.

CREATE TABLE contract (
    id         text        PRIMARY KEY,
    account    text        UNIQUE,
    head       jsonb       NOT NULL,
    author     text        NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE contract IS 'Who agreed under which catalogue, for which account; all that happens is in contract_fact.';
COMMENT ON COLUMN contract.head IS 'The document without its events.';

CREATE TABLE contract_quote (
    number   bigint      GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    contract text        NOT NULL REFERENCES contract,
    id       text        NOT NULL,
    facts    integer     NOT NULL,
    wanted   jsonb       NOT NULL,
    said     jsonb       NOT NULL,
    author   text        NOT NULL,
    made_at  timestamptz NOT NULL DEFAULT now(),
    UNIQUE (contract, id, facts)
);
COMMENT ON TABLE contract_quote IS 'What was quoted and may be ordered; rows are added, never changed.';
COMMENT ON COLUMN contract_quote.facts IS 'How many facts the contract had then.';

CREATE TABLE contract_fact (
    contract    text        NOT NULL REFERENCES contract,
    number      integer     NOT NULL CHECK (number > 0),
    event       json        NOT NULL,
    quote       bigint      UNIQUE REFERENCES contract_quote,
    author      text        NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (contract, number)
);
COMMENT ON TABLE contract_fact IS 'What happened to a contract, in the order in which it was learned; rows are added, never changed.';
COMMENT ON COLUMN contract_fact.event IS 'As it was written, the order of its keys included.';
COMMENT ON COLUMN contract_fact.quote IS 'That was ordered by it; none is ordered twice.';
