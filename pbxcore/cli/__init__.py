"""The command line: one Typer app; each command lives with its subject in a module of this folder.

Owns words, tables and exit codes. Refuses to do the work: it calls the door, the cores or a process.
"""

from pbxcore.cli import (
    apply,
    check,
    closing,
    contract,
    credit,
    database,
    decide,
    demo,
    destinations,
    explain,
    flow,
    order,
    porting,
    rate,
    rated,
    revisions,
    run,
    serve,
    sounds,
    status,
    switches,
    thresholds,
    voicemail,
)
from pbxcore.cli.app import app, main

__all__ = [
    "app",
    "apply",
    "check",
    "closing",
    "contract",
    "credit",
    "database",
    "decide",
    "demo",
    "destinations",
    "explain",
    "flow",
    "main",
    "order",
    "porting",
    "rate",
    "rated",
    "revisions",
    "run",
    "serve",
    "sounds",
    "status",
    "switches",
    "thresholds",
    "voicemail",
]
