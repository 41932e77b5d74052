"""Mail to the owners of mailboxes: a message that somebody left, with its recording.

Owns which boxes want mail (`boxes`), the letter and its words (`letter`), what became of each (`ledger`) and
the sending (`delivery`, a task of `web`). Refuses to trust a call or an event: what is to be mailed is read
from the messages on the disk, so that a crash anywhere delays a letter and loses none. If we die between its
last byte and the note of it, it comes twice, with the same Message-ID.
"""
