"""Which of a run's requests are the candidate's and which are stable's: by slot, or by version where both have the same slot."""

from collections.abc import Iterable

from impact.userlog import Request
from strategies.run import Run
from strategies.traffic import Slot


class Sides:
    """Tells the two versions of `run` apart.

    In place only the version that answered tells them apart. What nobody answered while one takes the other's place is charged
    to neither: it is what the exchange costs.
    """

    def __init__(self, run: Run) -> None:
        self._run = run
        self._in_place = run.plan.in_place

    def of(self, requests: Iterable[Request], slot: Slot, *, candidate: bool) -> list[Request]:
        """Those of `requests` that are charged to `slot`, in place to the new version (`candidate`) or to the old one in it."""
        own = [request for request in requests if request.slot is slot]
        if not self._in_place:
            return own
        version = self._run.to_version if candidate else self._run.from_version
        return [request for request in own if request.version == version]

    def is_candidate(self, request: Request) -> bool:
        """Whether a request went to the version that is rolled out."""
        return request.slot is self._run.candidate and (not self._in_place or request.version == self._run.to_version)

    def is_unattributed(self, request: Request) -> bool:
        """Whether it failed and no version can be charged with it."""
        return request.unattributed or (self._in_place and request.failed and not request.version)
