-- name: switches
-- One row for each thing that was ever switched; a cleared one stays with an empty value, so that every reader
-- learns of it. `change` grows with each write: a reader asks for what came after the last it has seen.
CREATE TABLE IF NOT EXISTS switches (
  tenant TEXT NOT NULL, kind TEXT NOT NULL, subject TEXT NOT NULL, value TEXT NOT NULL, since TEXT NOT NULL,
  by TEXT NOT NULL, until TEXT, change INTEGER NOT NULL, PRIMARY KEY (tenant, kind, subject)
) WITHOUT ROWID;
CREATE UNIQUE INDEX IF NOT EXISTS switches_by_change ON switches (change);

-- name: changes
SELECT tenant, kind, subject, value, since, by, until, change FROM switches WHERE change > ? ORDER BY change;

-- name: keep
INSERT INTO switches (tenant, kind, subject, value, since, by, until, change)
VALUES (?, ?, ?, ?, ?, ?, ?, (SELECT coalesce(max(change), 0) + 1 FROM switches))
ON CONFLICT (tenant, kind, subject) DO UPDATE SET
  value = excluded.value, since = excluded.since, by = excluded.by, until = excluded.until, change = excluded.change;
