"""Real SIP phones and a carrier to practise with: `pbxcore run`, `pbxcore demo` and tests use them.

Owns driving sipp and baresip. Refuses to be part of a production machine.
"""
