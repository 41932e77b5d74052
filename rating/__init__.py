"""What a call costs: destinations, tariffs, allowances, drawdown, contracts and invoices.

The pure part knows no clock, no database and no float. `rating.store` (PostgreSQL) and `rating.documents`
(PDF, XML, payment files) are its two edges; the pure part never imports them. The laws stand in `LAWS.md`.
"""
