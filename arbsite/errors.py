"""The one tree of errors, split by what the caller may do next.

    SpreadlineError
    ├── DomainError        the request is wrong or not allowed: a 4xx with the remedy
    ├── FeedError
    │   ├── FeedCorrupt    the bytes cannot be trusted: drop the state, resubscribe
    │   └── StaleData      the data is older than its limit: wait or resync
    ├── VenueError
    │   ├── NotSent        nothing left this machine: may be retried
    │   ├── Rejected       the venue refused, definitely: final, nothing executed
    │   ├── OutcomeUnknown it may have executed: reconcile, NEVER resend
    │   └── QueryFailed    a read failed: no evidence either way, ask again
    ├── IllegalTransition  a (state, event) pair the table does not list: a bug, stop
    ├── ResidualMoved      the records know a fill we do not: start over from them
    ├── Fenced             a newer epoch owns the shard: exit non-zero
    └── SetupError         the environment is wrong: one sentence with the remedy

Business refusals (a gate said no, a quote cannot be had) are values, not errors.
"""

import msgspec

UNREADABLE = (msgspec.MsgspecError, UnicodeDecodeError, RecursionError)
"""What a msgspec decoder raises on bytes from outside: three families, not one."""


class SpreadlineError(Exception):
    """Root of everything this product raises on purpose."""


class DomainError(SpreadlineError):
    """A request that is wrong or not allowed now; the text tells the user the remedy.

    `code` is a stable machine word, `status` the HTTP status the API answers with.
    """

    def __init__(self, message: str, *, code: str = "invalid", status: int = 400) -> None:
        super().__init__(message)
        self.code = code
        self.status = status


class FeedError(SpreadlineError):
    """Market data that must not be used."""


class FeedCorrupt(FeedError):
    """Bytes that break the venue's format or checksum; resubscribe, never patch."""


class StaleData(FeedError):
    """Data older than its limit."""


class VenueError(SpreadlineError):
    """A venue call did not give a usable answer."""


class NotSent(VenueError):
    """Nothing reached the wire; a retry cannot duplicate."""


class Rejected(VenueError):
    """The venue's explicit per-order refusal: final, nothing executed."""


class OutcomeUnknown(VenueError):
    """The request may have been executed: reconcile by queries, never resend."""


class QueryFailed(VenueError):
    """A read failed. A failed query is never evidence of absence."""


class IllegalTransition(SpreadlineError):
    """A state machine met a pair its table does not list: an incident and a stop."""


class ResidualMoved(SpreadlineError):
    """The database holds executions of a trade that its process does not know of."""


class Fenced(SpreadlineError):
    """Another holder took the shard with a newer epoch; this process must exit."""


class SetupError(SpreadlineError):
    """The machine or the configuration is not fit to run; the text names the remedy."""
