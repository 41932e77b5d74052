"""The command line: one Typer app; each command lives with its subject in a module of this folder.

Owns words, tables and exit codes. Refuses to do the work: it calls the door, the cores or a process. A module
is loaded when one of its commands is asked for: `pbxcore.cli.commands` says which.
"""

from pbxcore.cli.app import app, main

__all__ = ["app", "main"]
