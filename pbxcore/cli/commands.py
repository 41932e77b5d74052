"""All commands: where each lives, and how the list of all commands shows it.

Owns what must be known of a command before its module is loaded. Refuses anything else: what a command does
and its own help stand in that module, and a test holds both together.
"""

from typing import NamedTuple


class Command(NamedTuple):
    """One line of the list: the module of this folder that has the command, its panel and what it does."""

    module: str
    panel: str | None
    help: str


# By name, in the order of the list.
COMMANDS = {
    "apply": Command("apply", "Changing", "Check documents and put all of them in force, or none."),
    "check": Command(
        "check",
        "Changing",
        "Check tenants, accounts, contracts and catalogues; change nothing.",
    ),
    "rated": Command(
        "rated",
        "Explaining",
        "Show rated legs: the newest as a table, or the stream as NDJSON.",
    ),
    "history": Command(
        "revisions",
        "Changing",
        "Show who changed what in a document, and when; of a contract each fact: orders, notices, use.",
    ),
    "export": Command("revisions", "Changing", "Print a document as it was written, comments included."),
    "rollback": Command(
        "revisions",
        "Changing",
        "Put the document of an earlier revision in force again, as a new revision, through the door.",
    ),
    "diff": Command(
        "revisions",
        "Changing",
        "Show what a document would change for callers, call by call. Exit code 1 if anything.",
    ),
    "close": Command(
        "closing",
        "Billing",
        "Close a month: rate open legs again in canonical order, write what differs, let "
        "nothing in any more.",
    ),
    "rerate": Command(
        "closing",
        "Billing",
        "Rate the open legs again by the documents of today: what changes, by how much, for whom.",
    ),
    "credit": Command(
        "credit",
        "Explaining",
        "Show what an account has left and uses now, or pay something in.",
    ),
    "decide": Command(
        "decide",
        "Explaining",
        "Show what would happen to a call, step by step, and which rules say so.",
    ),
    "demo": Command(
        "demo",
        "Running",
        "Play the story: old number, temporary number, group, nobody answers, mobile in Austria, rated leg.",
    ),
    "explain": Command(
        "explain",
        "Explaining",
        "Explain a past call: what was decided, by whom and by which rule, what then "
        "happened, what it costs.",
    ),
    "flow": Command(
        "flow",
        "Explaining",
        "Draw where calls to a tenant go today: numbers, hours, groups, members, time-outs, forwards.",
    ),
    "numbers": Command(
        "numbers",
        "Explaining",
        "Show every number in force: where it leads, where it stands in its life, and because of what.",
    ),
    "quote": Command(
        "order",
        "Changing",
        "Show what a change of a contract, or a new one, would come to; change nothing.",
    ),
    "order": Command(
        "order",
        "Changing",
        "Order exactly what was quoted, bindingly: it becomes the contract's last event, "
        "as signing or order.",
    ),
    "phones": Command(
        "phones",
        "Seeing",
        "List a tenant's phones: extension, SIP user name, where to register, and whether it is registered.",
    ),
    "rate": Command("rate", "Explaining", "Price legs: NDJSON in, NDJSON out, no database."),
    "remove": Command(
        "remove",
        "Changing",
        "Take a tenant out of force: show what ends, and with --confirm end it.",
    ),
    "run": Command(
        "run",
        "Running",
        "Start everything this machine needs, show who can call whom, and follow the calls live.",
    ),
    "serve": Command(
        "serve",
        "Running",
        "Run one process: control, standby, rater or web. `pbxcore run` starts all of them.",
    ),
    "tenants": Command(
        "status",
        "Seeing",
        "List every tenant: its revision in force, since when and by whom, its numbers and extensions.",
    ),
    "status": Command(
        "status",
        "Seeing",
        "Show which processes answer, what each has in force and how far it lags, and what waits.",
    ),
    "switches": Command(
        "switches",
        "Seeing",
        "Show what is switched now in a tenant: forwards, do-not-disturb; since when, by whom, until when.",
    ),
    "thresholds": Command(
        "thresholds",
        "Explaining",
        "Show the allowances that were used to 80 and to 100 percent, each once, in the order of `position`.",
    ),
    "database": Command("database", "Running", "Look after the database's schema."),
    "quarantine": Command("rated", None, "Legs that could not be rated: list them, release them."),
    "contract": Command("contract", "Explaining", "What follows from a contract's dated facts."),
    "destinations": Command("destinations", None, "Ask where numbers lead: country, kind, zone."),
    "porting": Command("porting", "Changing", "Portings: plan, reject, confirm or take back."),
    "sounds": Command("sounds", "Changing", "Sounds of tenants: music on hold, announcements."),
    "switch": Command("switches", "Changing", "Set or clear what users switch by phone."),
    "voicemail": Command("voicemail", "Seeing", "Messages in mailboxes: list, fetch, delete."),
}
