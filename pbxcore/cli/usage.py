"""A wrong command line, in the words of this house: what is wrong, and what may stand there.

Owns the translation of typer's errors. Refuses to know commands: what may stand somewhere says the help of
that argument.
"""

import re

from typer.exceptions import TyperException


def in_words(error: TyperException) -> tuple[str, str]:
    """Give what is wrong with a command line, and what to do about it."""
    said = re.sub(r"Invalid value for |Value error, ", "", error.format_message())
    said = re.sub(r"^('[^:]*'): ", lambda name: name[1].replace("'", "") + ": ", said)
    said = said.partition(", unable to parse")[0].replace("Input should", "it should").rstrip(".")
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "pbxcore"
    helped = getattr(getattr(error, "param", None), "help", "") or ""
    return said, f"{helped.rstrip('.')} (`{command} --help`)" if helped else f"see `{command} --help`"
