"""Text as a cell of what PostgreSQL's COPY reads.

Owns what is marked in it. Refuses to know which cells a line has.
"""

MARKED = (("\\", "\\\\"), ("\t", "\\t"), ("\n", "\\n"), ("\r", "\\r"))  # the mark itself first


def cell(text: str) -> str:
    """Write text as a cell of COPY: what separates cells and lines is marked (PostgreSQL's "Text Format")."""
    for sign, marked in MARKED:
        text = text.replace(sign, marked)
    return text
