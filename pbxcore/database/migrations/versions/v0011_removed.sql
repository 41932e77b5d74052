-- A tenant that is out of force has a revision that says so, with the document it had. A program of schema 0010 goes on;
-- it takes such a tenant for one in force, and puts it back within a second: remove nobody until every process runs this
-- version.

ALTER TABLE revision ADD COLUMN removed boolean NOT NULL DEFAULT false;
COMMENT ON COLUMN revision.removed IS 'With it the tenant was taken out of force; its document is the one that it had.';
