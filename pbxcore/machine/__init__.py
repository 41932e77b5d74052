"""One machine: what it unpacks, starts, watches and stops. Refuses to know what a call or a price is."""
