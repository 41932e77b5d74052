"""Pages from a template and what they say.

Owns the way to Typst: content is handed over as JSON and set as text, never as markup, so that a name may
hold any sign. Refuses system fonts: the same content gives the same bytes everywhere.
"""

import json
from importlib.resources import files
from typing import Any, Literal

import typst

Format = Literal["pdf", "svg", "png"]


def typeset(template: str, content: dict[str, Any], form: Format) -> tuple[bytes, ...]:
    """Set pages: one file as PDF, one a page otherwise.

    Args:
        template: in this package, `flow.typ`.
        content: what it reads.
        form: of the files.
    """
    folder = files("pbxcore.paper")
    made = typst.compile(
        str(folder.joinpath(template)),
        font_paths=[str(folder.joinpath("fonts"))],
        ignore_system_fonts=True,
        format=form,
        sys_inputs={"content": json.dumps(content)},
        timestamp=0,
    )
    return tuple(made) if isinstance(made, list) else (made,)
