-- name: head
SELECT head FROM contract WHERE id = $1;

-- name: facts
SELECT number, event, quote, author, recorded_at FROM contract_fact WHERE contract = $1 ORDER BY number;

-- name: begin
INSERT INTO contract (id, account, head, author) VALUES ($1, $2, $3, $4);

-- name: append
INSERT INTO contract_fact (contract, number, event, quote, author) VALUES ($1, $2, $3, $4, $5);

-- name: of_account
SELECT id FROM contract WHERE account = $1;

-- name: catalogues
-- In the order in which they were written: of two options the later one is the higher.
SELECT DISTINCT ON (id) coalesce(spelled::text, document::text) AS document FROM revision WHERE kind = 'catalogue' ORDER BY id, revision DESC;

-- name: under
-- Contracts of which something may have been agreed by a version of a catalogue: it is in force from its first day on.
SELECT id FROM contract WHERE EXISTS (
    SELECT FROM contract_fact WHERE contract = id AND (event ->> 'on')::date >= $2
) AND (head ->> 'catalogue' = $1 OR EXISTS (
    SELECT FROM contract_fact WHERE contract = id AND event -> 'move' ->> 'catalogue' = $1
)) ORDER BY id;

-- name: keep_quote
-- The same quote of the same facts is there already.
INSERT INTO contract_quote (contract, id, facts, wanted, said, author) VALUES ($1, $2, $3, $4, $5, $6)
ON CONFLICT (contract, id, facts) DO NOTHING;

-- name: quote_name
SELECT id || '-' || number FROM contract_quote WHERE contract = $1 AND id = $2 AND facts = $3;

-- name: quote
-- By the name of its row: the hash alone may be that of an order before it.
SELECT number, id, facts, wanted, said FROM contract_quote WHERE contract = $1 AND id || '-' || number = $2;

-- name: quoted_for
-- The number behind the hash finds the row; the whole name must be that row's.
SELECT contract FROM contract_quote
WHERE number = substring($1 FROM '-([0-9]{1,18})$')::bigint AND id || '-' || number = $1;
