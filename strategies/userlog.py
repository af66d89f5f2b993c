"""The columns of the users' log: one row per request that a user made or should have made.

Written by loadtest/ as CSV with a header, read by impact/ as it grows. Times are UTC with microseconds
(ISO 8601, "Z"); latency is in seconds and counts from the intended time, so a slow server cannot hide the
requests that it kept waiting (coordinated omission).
"""

from typing import NamedTuple


class Row(NamedTuple):
    """One request, as its user saw it. All values are text, as in the file; an unknown one is empty."""

    intended: str
    """When the schedule said it should be sent."""
    sent: str
    """When it was sent; empty if it never was (too many in flight)."""
    latency: str
    """Seconds from `intended` to the whole answer, the error or the timeout."""
    user: str
    """Which user, a whole number."""
    request_id: str
    """The x-request-id sent along."""
    slot: str
    """The slot that the proxy chose (x-lab-slot), set by the route's destination even on the proxy's own errors."""
    version: str
    """The version that answered (x-served-by); empty if no replica answered."""
    status: str
    """The HTTP status; 0 if there was no answer."""
    failure: str
    """Empty for a 2xx; else "status", "timeout", "connection" or "unsent" (more in flight than allowed)."""
    predicted: str
    """The class that the answer named."""
    truth: str
    """The class that is right for the case that was sent."""


HEADER = ",".join(Row._fields)
SLOT_HEADER = "x-lab-slot"
VERSION_HEADER = "x-served-by"
REQUEST_ID_HEADER = "x-request-id"
