-- A program of schema 0007 goes on: it stores tenants without what their contracts let them use, and the next
-- change of such a tenant, or of its contract, adds that.

ALTER TABLE revision ADD COLUMN entitlements jsonb;
COMMENT ON COLUMN revision.entitlements IS 'What the contract of a tenant''s account lets it use, and since when; empty: what the document says.';

CREATE INDEX revision_account ON revision ((document ->> 'account')) WHERE kind = 'tenant';
