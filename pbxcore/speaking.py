"""All texts of a change are spoken before anything of it is stored.

Owns what is spoken of a document, and the findings where that fails. Refuses to know how (`pbxcore.speech`).
"""

from collections.abc import Sequence

from dialplan.build import texts_of
from dialplan.finding import Finding
from dialplan.spec import TenantSpec
from pbxcore import prompts, speech
from pbxcore.documents import Located, Read, locate
from pbxcore.settings import Settings


def speak(settings: Settings, documents: Sequence[Read]) -> tuple[Located, ...]:
    """Let all texts be spoken before anything is stored; say which could not be."""
    found: list[Located] = []
    for document in documents:
        if isinstance(document.spec, TenantSpec):
            prompts.speak(settings, document.spec.language)
            for name, one in document.spec.announcements.items():
                try:
                    speech.speak(settings.state, document.spec.tenant, texts_of(document.spec, one))
                except (speech.SpeechError, OSError) as failed:
                    found += locate(document, (_unspoken(name, failed),))
    return tuple(found)


def _unspoken(name: str, failed: Exception) -> Finding:
    return Finding(
        path=("announcements", name, "spoken"),
        code="unspoken",
        message=f"the text could not be spoken: {failed}",
        remedy="look at the engine (`pbxcore sounds engine`) and at the room in the folder of sounds",
    )
