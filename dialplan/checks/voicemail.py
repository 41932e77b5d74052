"""Checks of mailboxes: what is said of mail makes sense, and no message is lost by it."""

from collections.abc import Iterator

from dialplan.checks.register import check
from dialplan.checks.subject import Subject
from dialplan.finding import Finding


@check
def deleted_unsent(subject: Subject) -> Iterator[Finding]:
    """A message goes from its mailbox only when its recording has been mailed."""
    for section, owners in (("extensions", subject.spec.extensions), ("groups", subject.spec.groups)):
        for name, owner in owners.items():
            box = owner.voicemail
            if box and box.delete_after_mail and not (box.mail and box.attach):
                yield Finding(
                    path=(section, name, "voicemail", "delete_after_mail"),
                    code="deleted-unsent",
                    message="messages would be deleted and nobody would have their recording",
                    remedy="name an address, `mail`, and let it have the recording, `attach: true`",
                )
