-- A tenant that is out of force has a revision that says so, with the document it had. A program of schema 0010 goes on;
-- it takes such a tenant for one in force, and publishes it again with its next change.

ALTER TABLE revision ADD COLUMN removed boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN revision.removed IS 'With it the tenant was taken out of force; its document is the one that it had.';
