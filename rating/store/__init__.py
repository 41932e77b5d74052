"""PostgreSQL edge of rating: the ledger (one writer) and the stream (any number of readers)."""
