"""True records of Asterisk (samples/legs.md) become the legs of the calls that were made."""

from pathlib import Path

from pbxcore.intake.assemble import NOTHING_OPEN, assemble
from pbxcore.intake.lines import read

SAMPLES = Path(__file__).with_name("samples") / "legs.tsv"


def test_true_records_become_legs() -> None:
    """Each answered trunk leg once, in the order of its end, with its payer; nothing is left over."""
    records, unreadable = read(SAMPLES.read_bytes().decode("latin-1"), 0)
    assembly = assemble(records, NOTHING_OPEN)
    assert (unreadable, assembly.bad, dict(assembly.open)) == ([], (), {})
    assert [(leg.payer, leg.why, leg.number, leg.trunk) for leg in assembly.legs] == [
        ("acme/10", "call", "+496641110000", "carrier"),
        ("acme/10", "call", "+496641110020", "carrier"),
        ("acme/60", "forward", "+436641110003", "carrier"),
        ("acme/12", "forward", "+436641110001", "carrier"),
        ("acme/13", "forward", "+436641110002", "carrier"),
        ("acme/10", "call", "+496641110503", "backup"),
        ("acme/11", "forward", "+496641110030", "carrier"),
        ("acme/11", "transfer", "+496641110040", "carrier"),
        ("acme/11", "emergency", "112", "carrier"),
    ]
    assert all(0 < leg.ended_us - leg.answered_us < 3_000_000 for leg in assembly.legs)
