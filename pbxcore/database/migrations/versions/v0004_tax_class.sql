-- By which billing taxes a leg. A rater of schema 0003 goes on; what it writes has none.

ALTER TABLE rated_leg ADD COLUMN tax_class text NOT NULL DEFAULT '';
COMMENT ON COLUMN rated_leg.tax_class IS 'Of the row in force at the answer; empty where the catalogue names none.';
