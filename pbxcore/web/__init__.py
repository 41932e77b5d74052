"""HTTP: the API for billing and portal, health, metrics. One small process.

Owns paths and status codes. Refuses to do the work, and to change anything (the door comes to the API later).
"""

from pbxcore.web.process import serve

__all__ = ["serve"]
