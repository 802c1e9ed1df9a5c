"""What keeps us from an answer, in one sentence and with what to try next."""


class TroubleError(Exception):
    """Something outside of this program is in the way."""

    exit_code = 4

    def __init__(self, message: str, remedy: str = "") -> None:
        super().__init__(message)
        self.remedy = remedy


class UnreachableError(TroubleError):
    """The cluster or its agents are out of reach, or refuse us."""


class AgentMissingError(UnreachableError):
    """The agent is not installed."""


class BundleError(TroubleError):
    """A file is not what it should be."""

    exit_code = 2
