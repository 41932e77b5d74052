"""Texts that an engine speaks: what it has to say, and where the sound of it stands.

Owns the names of these sounds. Refuses to speak (`pbxcore.speech`): that is done when a document is put in
force, never during a call. The name follows from language and text, so that a sound never says anything else.
"""

import hashlib
from dataclasses import dataclass

FOLDER = "spoken"  # among a tenant's sounds
DIGEST = 16  # hexadecimal digits; a tenant has a few dozen texts


@dataclass(frozen=True, slots=True, kw_only=True)
class Spoken:
    """A text in a language."""

    language: str
    text: str

    @property
    def name(self) -> str:
        """Its sound among those of the tenant, without `.wav`."""
        digest = hashlib.sha256(self.text.encode()).hexdigest()[:DIGEST]
        return f"{FOLDER}/{self.language}-{digest}"
