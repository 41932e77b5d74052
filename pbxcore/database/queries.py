"""SQL in files, for the whole of pbxcore; the one reader of them stands where rating can reach it."""

from rating.store.named import named

__all__ = ["named"]
