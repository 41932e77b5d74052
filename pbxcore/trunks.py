"""How the carrier links are: whether each carrier answers Asterisk, which asks it every 15 s (`qualify`).

Owns the question, over a manager link of its own. Refuses to register anywhere: carriers know us by address.
"""

import asyncio
import re
from dataclasses import dataclass

from panoramisk.message import Message

from pbxcore.control.ami import AmiDownError, AmiError, Link, connected
from pbxcore.machine.asterisk import AMI_USER, ami_secret
from pbxcore.machine.running import COMMAND_SOCKET, unstarted_trunks
from pbxcore.machine.services import answers
from pbxcore.settings import Settings

ASK_LIMIT_S = 2.0
ANSWERS = {"Avail": True, "Unavail": False}  # any other word: nobody has asked it yet


@dataclass(frozen=True, slots=True, kw_only=True)
class TrunkState:
    """One carrier link.

    Attributes:
        name: as in the settings.
        reachable: the carrier answers; None: that is not known.
        detail: how fast it answers, or why nothing is known.
    """

    name: str
    reachable: bool | None
    detail: str


async def states(settings: Settings) -> tuple[TrunkState, ...]:
    """Ask Asterisk for all trunks, in the order to try them; then come those that it does not know yet."""
    names = [trunk.name for trunk in settings.trunks]
    later = [
        TrunkState(name=name, reachable=None, detail="stands in service.yaml: start the machine again")
        for name in unstarted_trunks(settings)
    ]
    try:
        said = await _ask(settings, names)
    except AmiError as error:
        said = [TrunkState(name=name, reachable=None, detail=f"Asterisk: {error}") for name in names]
    return (*said, *later)


async def _ask(settings: Settings, names: list[str]) -> list[TrunkState]:
    # Who answers at our port may be another machine's: ours has a socket, too.
    ours = await asyncio.to_thread((settings.run_dir / COMMAND_SOCKET).exists)
    if not ours or not await answers("127.0.0.1", settings.ports.ami):
        raise AmiDownError("does not run")
    secret = await asyncio.to_thread(ami_secret, settings)
    link = Link(host="127.0.0.1", port=settings.ports.ami, user=AMI_USER, secret=secret)
    async with connected(link, ASK_LIMIT_S):
        said = await asyncio.gather(
            *(link.action("Command", {"Command": f"pjsip show aor trunk-{name}"}) for name in names)
        )
    return [answered(name, answer) for name, answer in zip(names, said, strict=True)]


def answered(name: str, answer: Message) -> TrunkState:
    """Read an answer of Asterisk; one that refuses (it is shutting down) says nothing of the trunk."""
    if not answer.success and not answer.get("Output"):
        why = answer.get("Message", "refused, no reason given")
        return TrunkState(name=name, reachable=None, detail=f"Asterisk: {why}")
    return read(name, _lines(answer.get("Output")))


def _lines(output: object) -> str:
    """Give what a command printed: a list, or a text where it is one line."""
    return "\n".join(map(str, output)) if isinstance(output, list) else str(output or "")


def read(name: str, printed: str) -> TrunkState:
    """Read what Asterisk prints of a trunk: `Contact:  trunk-NAME/sip:HOST:PORT  3ef65bd10b Avail  1.234`."""
    found = re.search(rf"Contact: +trunk-{name}/\S+ +\S+ +(\w+) +(\S+)", printed)
    if found is None:
        return TrunkState(name=name, reachable=None, detail="Asterisk does not know it")
    word, milliseconds = found.groups()
    reachable = ANSWERS.get(word)
    if reachable:
        return TrunkState(
            name=name, reachable=True, detail=f"answers in {max(1, round(float(milliseconds)))} ms"
        )
    detail = "does not answer" if reachable is False else "not asked yet"
    return TrunkState(name=name, reachable=reachable, detail=detail)
