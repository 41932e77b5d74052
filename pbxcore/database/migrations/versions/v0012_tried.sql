-- Who releases many legs comes to those that were not tried before. A program of schema 0011 goes on; what it rates in
-- vain stays before the others.

ALTER TABLE quarantined_leg ADD COLUMN tried_at timestamptz;
COMMENT ON COLUMN quarantined_leg.tried_at IS 'When it was last rated again in vain; empty if never.';
