"""Sends what is due: finds new messages on the disk, writes letters, hands them to the mail server.

Owns the rhythm, the retries and the metrics. Refuses to send at once everything that has waited: a few at a
time, one after the other, so that a mail server that comes back is not run over.

Asterisk tells nobody who could not miss it that a message is there. So each box that wants mail is looked at:
the time of its inbox changes with each message that comes or goes, and only one that changed is read.
"""

import asyncio
import logging
import sqlite3
import ssl
import time
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from functools import cache

import aiosmtplib
from prometheus_client import Counter, Gauge

from pbxcore import phones, voicemail
from pbxcore.control.ami import AmiError, Link, connected
from pbxcore.machine.asterisk import AMI_USER, ami_secret
from pbxcore.mail import boxes, ledger
from pbxcore.mail.boxes import Box
from pbxcore.mail.ledger import Due, State
from pbxcore.mail.letter import compose
from pbxcore.settings import Settings, Smtp

LOOK_EVERY_S = 2.0
AT_ONCE = 20  # letters of one round; the next round is two seconds away
SMTP_LIMIT_S = 30.0  # for one step of a session; a recording of three minutes is 4 MB as mail
ASTERISK_LIMIT_S = 5.0
FIRST_PAUSE_S = 30
LONGEST_PAUSE_S = 3_600
GIVEN_UP_S = 3 * ledger.DAY_S  # as long as mail servers try among themselves
SETTLED_NS = 2_000_000_000  # a folder's time is as coarse as the kernel's clock: a younger one proves nothing
REFUSED_FOR_GOOD = 500  # SMTP: codes from here on

log = logging.getLogger(__name__)


@cache
def letters() -> Counter:
    """Letters by what became of them: sent, delayed (to be tried again), failed (given up), gone."""
    return Counter("pbxcore_mail_letters", "Letters about voicemail by what became of them", ["end"])


@cache
def waiting() -> Gauge:
    """Letters that wait for the mail server; without one, all of them."""
    return Gauge("pbxcore_mail_waiting", "Letters about voicemail that wait", multiprocess_mode="mostrecent")


async def deliver(settings: Settings) -> None:
    """Send letters until cancelled; without a mail server nothing is sent, and what is new waits."""
    looked: dict[str, tuple[int, int]] = {}
    while True:
        try:
            await asyncio.to_thread(look, settings, looked, int(time.time()))
            if settings.smtp is not None:
                await send_due(settings, settings.smtp)
            await asyncio.to_thread(_count, settings)
        except (sqlite3.Error, OSError, aiosmtplib.SMTPException) as error:  # a full disk; an unfriendly end
            log.warning("mail waits: %s", error)
        await asyncio.sleep(LOOK_EVERY_S)


def look(settings: Settings, looked: dict[str, tuple[int, int]], now: int) -> None:
    """Take up the messages that came since the last look."""
    path = ledger.file_of(settings)
    for box in boxes.read(phones.mailboxes_db(settings)).values():
        seen = (box.since, _changed_ns(settings, box))
        if looked.get(box.mailbox) == seen:
            continue
        oldest = max(box.since, now - ledger.OLDEST_TAKEN_S)
        there = [(one.id, int(one.at.timestamp())) for one in voicemail.messages(settings, box.mailbox)]
        new = [one for one in there if one[1] >= oldest]
        if new:  # after a start every box is read, and most are empty
            ledger.enrol(path, box.mailbox, new, now)
        if seen[1] < time.time_ns() - SETTLED_NS:
            looked[box.mailbox] = seen


def _changed_ns(settings: Settings, box: Box) -> int:
    """Give when the inbox of a box changed last; 0 before its first message. All messages arrive there."""
    try:
        return (voicemail.folder_of(settings, box.mailbox) / "INBOX").stat().st_mtime_ns
    except FileNotFoundError:
        return 0


async def send_due(settings: Settings, smtp: Smtp) -> None:
    """Send the letters whose turn it is, in one session with the mail server."""
    path = ledger.file_of(settings)
    wanted = await asyncio.to_thread(boxes.read, phones.mailboxes_db(settings))
    due = await asyncio.to_thread(ledger.due, path, int(time.time()), AT_ONCE)
    async with AsyncExitStack() as held:
        session: aiosmtplib.SMTP | None = None
        for letter in due:
            box = wanted.get(letter.mailbox)
            if box is None:  # it was taken out of the document meanwhile
                await _note(settings, letter, State.GONE, "the mailbox wants no mail any more")
            elif letter.state is State.DELETING:
                await _delete(settings, letter)
            else:
                try:
                    if session is None:
                        session = await held.enter_async_context(_session(smtp))
                    await _send(settings, smtp, session, box, letter)
                except (aiosmtplib.SMTPException, OSError) as error:
                    await _failed(settings, letter, error)
                    return  # the others would meet the same; they are due again in the next round


def _session(smtp: Smtp) -> aiosmtplib.SMTP:
    """Return a session to be entered; certificates are checked against those of the machine."""
    return aiosmtplib.SMTP(
        hostname=smtp.host,
        port=smtp.port,
        use_tls=smtp.tls == "tls",
        start_tls=smtp.tls == "starttls",
        username=smtp.user or None,
        password=smtp.password or None,
        timeout=SMTP_LIMIT_S,
        tls_context=ssl.create_default_context() if smtp.tls != "none" else None,
    )


async def _send(settings: Settings, smtp: Smtp, session: aiosmtplib.SMTP, box: Box, letter: Due) -> None:
    """Send one letter and note it; what the server refuses for this recipient alone is noted, too.

    Raises:
        SMTPException, OSError: the session is broken, or the server refuses us.
    """
    try:
        message = await asyncio.to_thread(voicemail.find, settings, letter.mailbox, letter.message)
        sound = None
        if box.attach:
            sound = await asyncio.to_thread(voicemail.sound, settings, letter.mailbox, letter.message)
    except voicemail.NoMessageError:
        await _note(settings, letter, State.GONE, "deleted before it was mailed")
        return
    try:
        now = datetime.now(UTC)
        mail = await asyncio.to_thread(compose, box, message, sound, sender=smtp.sender, now=now)
        await session.send_message(mail, sender=smtp.sender, recipients=[box.address])
    except aiosmtplib.SMTPRecipientsRefused as refused:
        await _failed(settings, letter, refused.recipients[0])
    except (aiosmtplib.SMTPDataError, aiosmtplib.SMTPNotSupported) as refused:
        await _failed(settings, letter, refused)
    else:
        await _note(settings, letter, State.DELETING if box.delete and box.attach else State.SENT)
        letters().labels("sent").inc()


async def _failed(settings: Settings, letter: Due, error: Exception) -> None:
    """Note a try that failed: it is tried again after a pause that doubles, or given up for good."""
    code = error.code if isinstance(error, aiosmtplib.SMTPResponseException) else 0
    ours = isinstance(error, aiosmtplib.SMTPAuthenticationError | aiosmtplib.SMTPConnectResponseError
                      | aiosmtplib.SMTPHeloError | aiosmtplib.SMTPSenderRefused)  # fmt: skip
    detail = " ".join(str(error).split())[:200] or type(error).__name__
    if (code >= REFUSED_FOR_GOOD and not ours) or _too_old(letter):
        log.error("message %s of %s is not mailed: %s", letter.message, letter.mailbox, detail)
        letters().labels("failed").inc()
        await _note(settings, letter, State.FAILED, detail)
        return
    log.warning("mail of message %s of %s is tried again: %s", letter.message, letter.mailbox, detail)
    letters().labels("delayed").inc()
    await _note(settings, letter, letter.state, detail, tries=letter.tries + 1)


def _too_old(letter: Due) -> bool:
    return time.time() - letter.since > GIVEN_UP_S


def pause_s(tries: int) -> int:
    """Return how long to wait after so many tries that failed; none before the first."""
    if tries == 0:
        return 0
    return int(min(FIRST_PAUSE_S * 2 ** min(tries - 1, 20), LONGEST_PAUSE_S))


async def _delete(settings: Settings, letter: Due) -> None:
    """Delete a message that was mailed. When Asterisk does not for days, it stays: too much is not lost."""
    link = Link(host="127.0.0.1", port=settings.ports.ami, user=AMI_USER,
                secret=await asyncio.to_thread(ami_secret, settings))  # fmt: skip
    try:
        message = await asyncio.to_thread(voicemail.find, settings, letter.mailbox, letter.message)
        async with connected(link, ASTERISK_LIMIT_S):
            await voicemail.delete(link, message)
    except voicemail.NoMessageError:
        await _note(settings, letter, State.SENT)
    except (AmiError, voicemail.RefusedError) as error:
        log.warning("message %s of %s is mailed, not yet deleted: %s", letter.message, letter.mailbox, error)
        state = State.SENT if _too_old(letter) else State.DELETING
        await _note(settings, letter, state, f"not deleted: {error}", tries=letter.tries + 1)
    else:
        await _note(settings, letter, State.SENT)


async def _note(settings: Settings, letter: Due, state: State, detail: str = "", *, tries: int = 0) -> None:
    if state is State.GONE:
        letters().labels("gone").inc()
    now, became = int(time.time()), replace(letter, state=state, tries=tries)
    await asyncio.to_thread(ledger.note, ledger.file_of(settings), became, now + pause_s(tries), detail)


def _count(settings: Settings) -> None:
    path = ledger.file_of(settings)
    found = ledger.counts(path)
    waiting().set(found.get(State.WAITING, 0))
    if found:
        ledger.prune(path, int(time.time()))
