"""The error of this package: something this machine cannot do, and what its user can do about it."""


class MachineError(Exception):
    """A step that cannot work here.

    Attributes:
        code: stable word for scripts and tests.
        message: what does not work, one line.
        remedy: what to do about it, one line.
    """

    code = "machine"

    def __init__(self, message: str, remedy: str) -> None:
        super().__init__(message)
        self.message = message
        self.remedy = remedy


class DatabaseError(MachineError):
    """The private PostgreSQL cannot be made or started."""

    code = "database"


class TreeError(MachineError):
    """The private tree of Debian packages cannot be made."""

    code = "tree"


class PortError(MachineError):
    """A port that was asked for is taken, or no block of ports is free."""

    code = "port"


class FolderError(MachineError):
    """A folder that the machine needs is not there, or cannot be made."""

    code = "folder"


class RunningError(MachineError):
    """Another `pbxcore run` uses this state folder."""

    code = "running"
