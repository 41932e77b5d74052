-- Whether what a leg costs contains VAT. A rater of schema 0009 goes on; of what it writes that is not kept.

ALTER TABLE rated_leg ADD COLUMN prices text NOT NULL DEFAULT '';
COMMENT ON COLUMN rated_leg.prices IS 'net or gross: whether its amounts contain VAT; empty where it was not kept, and for emergency calls.';
