"""The rater: one process that turns leg records into rated legs, each exactly once.

Owns the order of things: read, assemble, rate, commit. Refuses to know how any of these is done.
"""

from pbxcore.rater.process import main, serve

__all__ = ["main", "serve"]
