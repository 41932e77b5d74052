"""What contracts limit and gate of a tenant whose document this version cannot read as a whole.

Owns the few keys that are read then. Refuses to be a plan: nothing is decided by it.
"""

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel, ConfigDict


class ExtensionOutline(BaseModel):
    """One extension: its phones, and whether it has a mailbox."""

    model_config = ConfigDict(frozen=True)

    devices: tuple[Any, ...] = ()
    voicemail: Any = None


class GroupOutline(BaseModel):
    """One group: whether it has a mailbox."""

    model_config = ConfigDict(frozen=True)

    voicemail: Any = None


class TenantOutline(BaseModel):
    """What contracts limit and gate of one tenant, where this version cannot read the whole of its document.

    It ignores all that is said beside, and is no plan: nothing is decided by it.
    """

    model_config = ConfigDict(frozen=True)

    extensions: Mapping[str, ExtensionOutline] = {}
    groups: Mapping[str, GroupOutline] = {}
    hours: Mapping[str, Any] = {}
    announcements: Mapping[str, Any] = {}
