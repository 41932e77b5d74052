"""What our calls say by themselves, in languages of which the machine has no recorded voice.

Owns the texts (`prompts.yaml`) and `<state>/prompts/<language>/`, which Asterisk takes for the voice of that
language (`pbxcore.machine.asterisk`); a sound that is not there is heard in Asterisk's English. Refuses to
replace a recorded voice, and to hold a change up: without an engine there is English.
"""

import hashlib
import json
import logging
from collections.abc import Mapping
from functools import cache
from importlib import resources

import yaml

from dialplan.spoken import Spoken
from pbxcore import speech
from pbxcore.settings import Settings
from pbxcore.sounds import SUFFIX

STAMP = ".texts"  # which texts the sounds of a folder say; written when all are there

log = logging.getLogger(__name__)


@cache
def texts() -> Mapping[str, Mapping[str, str]]:
    """Give by language, and by the name of Asterisk's sound, what is said."""
    written = yaml.safe_load(resources.files("pbxcore").joinpath("prompts.yaml").read_text(encoding="utf-8"))
    spoken: dict[str, dict[str, str]] = {}
    for sound, said in written.items():
        for language, text in said.items():
            spoken.setdefault(language, {})[sound] = text
    return spoken


def speak(settings: Settings, language: str) -> bool:
    """Make the sounds of a language unless they are there; tell whether they are now.

    Without an engine, or where it fails, what is missing is heard in English.
    """
    said, folder = texts().get(language, {}), settings.prompts / language
    stamp = hashlib.sha256(json.dumps(said).encode()).hexdigest()
    try:
        if (folder / STAMP).exists() and (folder / STAMP).read_text() == stamp:
            return True
        if not said or language not in speech.languages(settings.state):
            return False
        for sound, text in said.items():
            place = folder / f"{sound}{SUFFIX}"
            speech.make(settings.state, place, Spoken(language=language, text=text))
        (folder / STAMP).write_text(stamp)
    except (speech.SpeechError, OSError) as failed:
        log.warning("prompts in %s stay English: %s", language, failed)
        return False
    return True
