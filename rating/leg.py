"""The billable unit: one trunk leg, from its answer to its hangup.

Owns the input of rating. Refuses legs that are still under way, and everything about how they were recorded
(`pbxcore.intake`).
"""

from dataclasses import dataclass

from dialplan.quick import quick


@quick
@dataclass(frozen=True, slots=True, kw_only=True)
class Leg:
    """A channel that left through a trunk and was answered.

    Attributes:
        key: UniqueID of the trunk channel, `<systemname>-<epoch>.<sequence>`; unique for ever.
        linkedid: groups the legs of one call.
        trunk: name of the trunk.
        payer: `<tenant>/<extension>` that owns the leg; empty when no record named one.
        why: `call`, `forward`, `transfer`, `emergency`; empty when no record named it.
        number: called number, E.164 with `+`; as dialled for emergency.
        answered_us: instant of the answer, microseconds since 1970-01-01T00:00:00Z.
        ended_us: instant of the hangup, same clock.
        limit_s: longest duration that was authorised, 0 for none.
        version: plan that decided, `<tenant>@<revision>`; empty when no record named it.
        credit: what was set aside for it (`rating.credit.Reservation.id`); empty for postpaid.
        indeterminate: no hangup was recorded (Asterisk died); `ended_us` is the last sign of life.
    """

    key: str
    linkedid: str
    trunk: str
    payer: str
    why: str
    number: str
    answered_us: int
    ended_us: int
    limit_s: int = 0
    version: str = ""
    indeterminate: bool = False
    credit: str = ""
