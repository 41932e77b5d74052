-- A program of schema 0008 goes on: it stores catalogues without, and then their options are read in another order.

ALTER TABLE revision ADD COLUMN spelled json;
COMMENT ON COLUMN revision.spelled IS 'Of a catalogue the document in the order of its keys, which jsonb does not keep: of two options the later one is the higher.';
