CREATE EXTENSION IF NOT EXISTS btree_gist WITH SCHEMA public;

COMMENT ON EXTENSION btree_gist IS 'support for indexing common datatypes in GiST';

CREATE FUNCTION public.announce_revision() RETURNS trigger
    LANGUAGE plpgsql
    AS $$
BEGIN
    PERFORM pg_notify('revision', NEW.kind || ' ' || NEW.id || ' ' || NEW.revision);
    RETURN NULL;
END $$;

CREATE TABLE public.closed_month (
    account text NOT NULL,
    month date NOT NULL,
    "position" bigint NOT NULL,
    closed_by text NOT NULL,
    closed_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT closed_month_month_check CHECK ((EXTRACT(day FROM month) = (1)::numeric))
);

COMMENT ON TABLE public.closed_month IS 'Months that are closed, and with them every month before; rows are added, never changed.';

COMMENT ON COLUMN public.closed_month."position" IS 'Of the newest row in the stream then: no later one is billed in this month.';

CREATE TABLE public.contract (
    id text NOT NULL,
    account text,
    head jsonb NOT NULL,
    author text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.contract IS 'Who agreed under which catalogue, for which account; all that happens is in contract_fact.';

COMMENT ON COLUMN public.contract.head IS 'The document without its events.';

CREATE TABLE public.contract_fact (
    contract text NOT NULL,
    number integer NOT NULL,
    event json NOT NULL,
    quote bigint,
    author text NOT NULL,
    recorded_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT contract_fact_number_check CHECK ((number > 0))
);

COMMENT ON TABLE public.contract_fact IS 'What happened to a contract, in the order in which it was learned; rows are added, never changed.';

COMMENT ON COLUMN public.contract_fact.event IS 'As it was written, the order of its keys included.';

COMMENT ON COLUMN public.contract_fact.quote IS 'That was ordered by it; none is ordered twice.';

CREATE TABLE public.contract_quote (
    number bigint NOT NULL,
    contract text NOT NULL,
    id text NOT NULL,
    facts integer NOT NULL,
    wanted jsonb NOT NULL,
    said jsonb NOT NULL,
    author text NOT NULL,
    made_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.contract_quote IS 'What was quoted and may be ordered; rows are added, never changed.';

COMMENT ON COLUMN public.contract_quote.facts IS 'How many facts the contract had then.';

ALTER TABLE public.contract_quote ALTER COLUMN number ADD GENERATED ALWAYS AS IDENTITY (
    SEQUENCE NAME public.contract_quote_number_seq
    START WITH 1
    INCREMENT BY 1
    NO MINVALUE
    NO MAXVALUE
    CACHE 1
);

CREATE TABLE public.credit (
    account text NOT NULL,
    balance_micro bigint NOT NULL
);

COMMENT ON TABLE public.credit IS 'What prepaid accounts have left: the sum of their booked entries.';

CREATE TABLE public.credit_entry (
    account text NOT NULL,
    reference text NOT NULL,
    amount_micro bigint NOT NULL,
    balance_micro bigint,
    author text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.credit_entry IS 'Everything that changed a balance; rows are added, and booked once by the rater.';

COMMENT ON COLUMN public.credit_entry.reference IS 'What it is for, once per account: a payment, or `leg <key>`.';

COMMENT ON COLUMN public.credit_entry.balance_micro IS 'The balance after it; empty until it is booked.';

CREATE TABLE public.credit_turn (
    shard smallint NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL
);

COMMENT ON TABLE public.credit_turn IS 'The epoch of the writer that may set money aside. A row of its own: rating a batch must not make a call wait.';

CREATE TABLE public.kept_allowance (
    account text NOT NULL,
    bundle text NOT NULL,
    top_up text NOT NULL,
    period date NOT NULL,
    size text NOT NULL,
    booked_from date NOT NULL,
    tariff text NOT NULL,
    until date NOT NULL,
    fixed_s bigint NOT NULL,
    mobile_s bigint NOT NULL,
    fixed_left_s bigint NOT NULL,
    mobile_left_s bigint NOT NULL,
    month date NOT NULL,
    CONSTRAINT kept_allowance_check CHECK (((fixed_left_s >= 0) AND (fixed_left_s <= fixed_s))),
    CONSTRAINT kept_allowance_check1 CHECK (((mobile_left_s >= 0) AND (mobile_left_s <= mobile_s)))
);

COMMENT ON TABLE public.kept_allowance IS 'Allowances that may be drawn after their month, as its close settled them; rows are added, never changed.';

COMMENT ON COLUMN public.kept_allowance.top_up IS 'Empty for the bundle itself.';

COMMENT ON COLUMN public.kept_allowance.period IS 'First of its month, of a top-up the day on which it was bought: as in the name of its pools.';

COMMENT ON COLUMN public.kept_allowance.until IS 'Last day on which it may be drawn.';

COMMENT ON COLUMN public.kept_allowance.fixed_left_s IS 'What legs of closed months had left of fixed_s then; what is drawn later stands in pool_used.';

COMMENT ON COLUMN public.kept_allowance.month IS 'Whose close kept it.';

CREATE TABLE public.number (
    number text NOT NULL,
    tenant text NOT NULL,
    valid tstzrange NOT NULL,
    CONSTRAINT number_number_check CHECK ((number ~ '^\+[1-9][0-9]{1,14}$'::text)),
    CONSTRAINT number_valid_check CHECK ((NOT isempty(valid)))
);

COMMENT ON TABLE public.number IS 'Which tenant has which number when; never two at once.';

CREATE TABLE public.open_leg (
    key text NOT NULL,
    spool text NOT NULL,
    linkedid text NOT NULL,
    trunk text NOT NULL,
    alone boolean NOT NULL,
    asked boolean NOT NULL,
    answered_us bigint,
    seen_us bigint NOT NULL,
    named boolean NOT NULL,
    payer text NOT NULL,
    why text NOT NULL,
    number text NOT NULL,
    limit_s bigint NOT NULL,
    version text NOT NULL,
    credit text DEFAULT ''::text NOT NULL
);

COMMENT ON TABLE public.open_leg IS 'Trunk channels under way at spool_position, with what their records said so far.';

COMMENT ON COLUMN public.open_leg.credit IS 'What is set aside for it (reservation.id); empty for postpaid.';

CREATE TABLE public.pool_used (
    account text NOT NULL,
    pool text NOT NULL,
    used_s bigint NOT NULL,
    CONSTRAINT pool_used_used_s_check CHECK ((used_s >= 0))
);

COMMENT ON TABLE public.pool_used IS 'Seconds drawn from each allowance, by the rated legs and nothing else.';

CREATE TABLE public.quarantined_leg (
    key text NOT NULL,
    reason text NOT NULL,
    detail text NOT NULL,
    leg jsonb NOT NULL,
    quarantined_at timestamp with time zone DEFAULT now() NOT NULL,
    released_by text,
    release_at timestamp with time zone,
    release_payer text,
    release_ended_us bigint,
    settled_at timestamp with time zone,
    tried_at timestamp with time zone
);

COMMENT ON COLUMN public.quarantined_leg.release_at IS 'When somebody asked to rate it again; empty while it waits.';

COMMENT ON COLUMN public.quarantined_leg.release_payer IS 'Who pays instead of the one that was recorded, or was not.';

COMMENT ON COLUMN public.quarantined_leg.release_ended_us IS 'When the leg ended, where no record or a wrong one says so.';

COMMENT ON COLUMN public.quarantined_leg.settled_at IS 'When it became a rated leg.';

COMMENT ON COLUMN public.quarantined_leg.tried_at IS 'When it was last rated again in vain; empty if never.';

CREATE TABLE public.quarantined_line (
    spool text NOT NULL,
    file text NOT NULL,
    line_start bigint NOT NULL,
    reason text NOT NULL,
    line bytea NOT NULL,
    quarantined_at timestamp with time zone DEFAULT now() NOT NULL
);

COMMENT ON TABLE public.quarantined_line IS 'Lines of the spool that are no record; kept as they were.';

CREATE TABLE public.rated_leg (
    "position" bigint NOT NULL,
    key text NOT NULL,
    linkedid text NOT NULL,
    account text NOT NULL,
    payer text NOT NULL,
    why text NOT NULL,
    number text NOT NULL,
    tariff text NOT NULL,
    country text NOT NULL,
    kind text NOT NULL,
    zone text NOT NULL,
    answered_us bigint NOT NULL,
    ended_us bigint NOT NULL,
    duration_us bigint NOT NULL,
    billable_s bigint NOT NULL,
    connection_micro bigint NOT NULL,
    amount_micro bigint NOT NULL,
    currency text NOT NULL,
    pieces jsonb NOT NULL,
    rated_at timestamp with time zone DEFAULT now() NOT NULL,
    limit_s bigint,
    billing_month date NOT NULL,
    corrects bigint,
    correction smallint DEFAULT 0 NOT NULL,
    tax_class text DEFAULT ''::text NOT NULL,
    prices text DEFAULT ''::text NOT NULL,
    CONSTRAINT rated_leg_billable_s_check CHECK (((billable_s >= 0) OR (correction > 0))),
    CONSTRAINT rated_leg_corrects_check CHECK (((corrects IS NULL) = (correction = 0))),
    CONSTRAINT rated_leg_duration_us_check CHECK ((duration_us >= 0))
);

COMMENT ON TABLE public.rated_leg IS 'The rated stream; rows are added, never changed.';

COMMENT ON COLUMN public.rated_leg.limit_s IS 'Longest duration that was authorised, 0 for none; empty if it was not kept.';

COMMENT ON COLUMN public.rated_leg.billing_month IS 'First day of the month whose invoice charges it.';

COMMENT ON COLUMN public.rated_leg.corrects IS 'Position of the leg that this row corrects; empty for a leg itself.';

COMMENT ON COLUMN public.rated_leg.correction IS '0: the leg. 1, 2, …: what it costs more or less than the rows before say.';

COMMENT ON COLUMN public.rated_leg.tax_class IS 'Of the row in force at the answer; empty where the catalogue names none.';

COMMENT ON COLUMN public.rated_leg.prices IS 'net or gross: whether its amounts contain VAT; empty where it was not kept, and for emergency calls.';

CREATE TABLE public.reservation (
    id text NOT NULL,
    call text NOT NULL,
    account text NOT NULL,
    payer text NOT NULL,
    number text NOT NULL,
    why text NOT NULL,
    first_us bigint NOT NULL,
    last_us bigint NOT NULL,
    limit_s bigint NOT NULL,
    money_micro bigint NOT NULL,
    pools jsonb NOT NULL,
    CONSTRAINT reservation_limit_s_check CHECK ((limit_s > 0)),
    CONSTRAINT reservation_money_micro_check CHECK ((money_micro >= 0))
);

COMMENT ON TABLE public.reservation IS 'The most that calls under way can cost; gone with the rated leg, or when none can come any more.';

COMMENT ON COLUMN public.reservation.last_us IS 'Latest instant of the answer.';

COMMENT ON COLUMN public.reservation.pools IS 'Seconds set aside of each allowance.';

CREATE TABLE public.revision (
    kind text NOT NULL,
    id text NOT NULL,
    revision integer NOT NULL,
    document jsonb NOT NULL,
    source text NOT NULL,
    author text NOT NULL,
    created_at timestamp with time zone DEFAULT now() NOT NULL,
    entitlements jsonb,
    spelled json,
    removed boolean DEFAULT false NOT NULL,
    CONSTRAINT revision_kind_check CHECK ((kind = ANY (ARRAY['tenant'::text, 'account'::text, 'catalogue'::text]))),
    CONSTRAINT revision_revision_check CHECK ((revision > 0))
);

COMMENT ON TABLE public.revision IS 'Every document that was ever in force; rows are added, never changed.';

COMMENT ON COLUMN public.revision.source IS 'The document as it was written, comments included.';

COMMENT ON COLUMN public.revision.entitlements IS 'What the contract of a tenant''s account lets it use, and since when; empty: what the document says.';

COMMENT ON COLUMN public.revision.spelled IS 'Of a catalogue the document in the order of its keys, which jsonb does not keep: of two options the later one is the higher.';

COMMENT ON COLUMN public.revision.removed IS 'With it the tenant was taken out of force; its document is the one that it had.';

CREATE TABLE public.spool_position (
    spool text NOT NULL,
    file text NOT NULL,
    line_end bigint NOT NULL,
    last_us bigint NOT NULL,
    updated_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT spool_position_line_end_check CHECK ((line_end >= 0))
);

COMMENT ON COLUMN public.spool_position.file IS 'Digest of the first line: the same after rename, copy and restart.';

COMMENT ON COLUMN public.spool_position.last_us IS 'Time of the newest record taken in: the last sign of life.';

CREATE TABLE public.stream (
    shard smallint NOT NULL,
    epoch bigint DEFAULT 0 NOT NULL,
    "position" bigint DEFAULT 0 NOT NULL,
    rerating bigint DEFAULT 0 NOT NULL
);

COMMENT ON TABLE public.stream IS 'One row per writer. Every writing transaction locks it first: so the order of positions is the order of commits, and a reader past position n has seen everything up to n. epoch counts writers; one of an older epoch writes nothing.';

COMMENT ON COLUMN public.stream.rerating IS 'Counts re-ratings and closings. A writer that finds another count than last time reads balances and closed months again.';

CREATE TABLE public.threshold_event (
    "position" bigint NOT NULL,
    account text NOT NULL,
    pool text NOT NULL,
    percent smallint NOT NULL,
    granted_s bigint NOT NULL,
    used_s bigint NOT NULL,
    rated_position bigint NOT NULL,
    raised_at timestamp with time zone DEFAULT now() NOT NULL,
    CONSTRAINT threshold_event_percent_check CHECK ((percent > 0))
);

COMMENT ON TABLE public.threshold_event IS 'Allowances of which so much is used; rows are added, never changed.';

COMMENT ON COLUMN public.threshold_event.rated_position IS 'Of the newest rated leg of the transaction that reached it.';

ALTER TABLE ONLY public.closed_month
    ADD CONSTRAINT closed_month_pkey PRIMARY KEY (account, month);

ALTER TABLE ONLY public.contract
    ADD CONSTRAINT contract_account_key UNIQUE (account);

ALTER TABLE ONLY public.contract_fact
    ADD CONSTRAINT contract_fact_pkey PRIMARY KEY (contract, number);

ALTER TABLE ONLY public.contract_fact
    ADD CONSTRAINT contract_fact_quote_key UNIQUE (quote);

ALTER TABLE ONLY public.contract
    ADD CONSTRAINT contract_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.contract_quote
    ADD CONSTRAINT contract_quote_contract_id_facts_key UNIQUE (contract, id, facts);

ALTER TABLE ONLY public.contract_quote
    ADD CONSTRAINT contract_quote_pkey PRIMARY KEY (number);

ALTER TABLE ONLY public.credit_entry
    ADD CONSTRAINT credit_entry_pkey PRIMARY KEY (account, reference);

ALTER TABLE ONLY public.credit
    ADD CONSTRAINT credit_pkey PRIMARY KEY (account);

ALTER TABLE ONLY public.credit_turn
    ADD CONSTRAINT credit_turn_pkey PRIMARY KEY (shard);

ALTER TABLE ONLY public.kept_allowance
    ADD CONSTRAINT kept_allowance_pkey PRIMARY KEY (account, period, bundle, top_up);

ALTER TABLE ONLY public.number
    ADD CONSTRAINT number_has_one_tenant EXCLUDE USING gist (number WITH =, valid WITH &&) DEFERRABLE;

ALTER TABLE ONLY public.open_leg
    ADD CONSTRAINT open_leg_pkey PRIMARY KEY (key);

ALTER TABLE ONLY public.pool_used
    ADD CONSTRAINT pool_used_pkey PRIMARY KEY (account, pool);

ALTER TABLE ONLY public.quarantined_leg
    ADD CONSTRAINT quarantined_leg_pkey PRIMARY KEY (key);

ALTER TABLE ONLY public.quarantined_line
    ADD CONSTRAINT quarantined_line_pkey PRIMARY KEY (spool, file, line_start);

ALTER TABLE ONLY public.rated_leg
    ADD CONSTRAINT rated_leg_key_correction UNIQUE (key, correction);

ALTER TABLE ONLY public.rated_leg
    ADD CONSTRAINT rated_leg_pkey PRIMARY KEY ("position");

ALTER TABLE ONLY public.reservation
    ADD CONSTRAINT reservation_pkey PRIMARY KEY (id);

ALTER TABLE ONLY public.revision
    ADD CONSTRAINT revision_pkey PRIMARY KEY (kind, id, revision);

ALTER TABLE ONLY public.spool_position
    ADD CONSTRAINT spool_position_pkey PRIMARY KEY (spool);

ALTER TABLE ONLY public.stream
    ADD CONSTRAINT stream_pkey PRIMARY KEY (shard);

ALTER TABLE ONLY public.threshold_event
    ADD CONSTRAINT threshold_event_account_pool_percent_key UNIQUE (account, pool, percent);

ALTER TABLE ONLY public.threshold_event
    ADD CONSTRAINT threshold_event_pkey PRIMARY KEY ("position");

CREATE INDEX credit_entry_waiting ON public.credit_entry USING btree (created_at) WHERE (balance_micro IS NULL);

CREATE INDEX number_tenant ON public.number USING btree (tenant);

CREATE INDEX open_leg_spool ON public.open_leg USING btree (spool);

CREATE INDEX quarantined_leg_release ON public.quarantined_leg USING btree (release_at, key) WHERE ((settled_at IS NULL) AND (release_at IS NOT NULL));

CREATE INDEX quarantined_leg_waiting ON public.quarantined_leg USING btree (quarantined_at, key) WHERE (settled_at IS NULL);

CREATE INDEX rated_leg_account ON public.rated_leg USING btree (account, billing_month, ended_us, key);

COMMENT ON INDEX public.rated_leg_account IS 'A month of an account in canonical order: by the end of each leg, then its key.';

CREATE INDEX revision_account ON public.revision USING btree (((document ->> 'account'::text))) WHERE (kind = 'tenant'::text);

CREATE TRIGGER announce AFTER INSERT ON public.revision FOR EACH ROW EXECUTE FUNCTION public.announce_revision();

ALTER TABLE ONLY public.contract_fact
    ADD CONSTRAINT contract_fact_contract_fkey FOREIGN KEY (contract) REFERENCES public.contract(id);

ALTER TABLE ONLY public.contract_fact
    ADD CONSTRAINT contract_fact_quote_fkey FOREIGN KEY (quote) REFERENCES public.contract_quote(number);

ALTER TABLE ONLY public.contract_quote
    ADD CONSTRAINT contract_quote_contract_fkey FOREIGN KEY (contract) REFERENCES public.contract(id);

ALTER TABLE ONLY public.kept_allowance
    ADD CONSTRAINT kept_allowance_account_month_fkey FOREIGN KEY (account, month) REFERENCES public.closed_month(account, month);
