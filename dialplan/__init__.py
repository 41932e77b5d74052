"""What a tenant is, what its plan is, and what happens to a call.

Pure: no I/O, no clock, no randomness of its own. The same arguments give the same decision, so a decision
can be explained, replayed and tested without Asterisk.
"""
