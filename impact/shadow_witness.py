"""The verdict of a shadow: both versions' answers to the same requests, and what became of the copies that nobody answered well."""

from collections.abc import Sequence
from datetime import datetime

from impact import binomial, copying
from impact.copies import Copies, Servers, account
from impact.pairing import Pair, Pairing
from impact.pairs import PairComparison, compare_pairs
from impact.prediction_log import PredictionLog, require_whole
from impact.userlog import Request
from strategies.errors import NotReady
from strategies.judgement import Fact, Judgement, Verdict
from strategies.run import JudgeOptions
from strategies.traffic import Traffic
from strategies.waiting import Clock, wait_until

LOST_POINTS = 0.02
"""So many of the copies (0..1) may be lost: a proxy drops some of its own accord, and those that came are compared all the same."""

LAST_COPIES_SECONDS = 6.0
"""How long the end waits for copies that have not come: as long as the proxy waits for their answers, and their way into the log."""

SERVERS_ALPHA = 0.2
"""The part (0..1) of alpha that is kept for what the servers counted; the pairs have the rest."""


class ShadowWitness:
    """Judges one shadow, look by look.

    Args:
        log: predictions since the copying began, copies included.
        servers: what they counted themselves, also of records that they dropped.
        since: when the copying began.
        before: users' requests before that.
        alpha: the probability of a wrong FAIL.
    """

    def __init__(
        self,
        log: PredictionLog,
        servers: Servers,
        options: JudgeOptions,
        traffic: Traffic,
        *,
        since: datetime,
        before: Sequence[Request],
        alpha: float,
        clock: Clock,
    ) -> None:
        self._log = log
        self._servers = servers
        self._options = options
        self._traffic = traffic
        self._since = since
        self._before = before
        self._alpha = alpha
        self._clock = clock
        self._pairing = Pairing(traffic.stable)
        self._pairs: list[Pair] = []

    def look(self, requests: Sequence[Request], objective: float | None, *, final: bool) -> Judgement:
        """What the pairs say so far. At the end copies that may still come are waited for, so that none is overlooked.

        Args:
            requests: the users' requests since the copying began, with the right class of each.
            objective: seconds above which an answer is slow.
            final: whether the comparison is over.

        Raises:
            WitnessLost: the log cannot be read or is not whole, or the servers' counts cannot be had.
        """
        until = self._clock.now()
        self._pairs += self._read()
        compared = self._compare(requests, objective, final=final)
        if final and compared.judgement.verdict is not Verdict.FAIL and self._pairing.waiting:
            self._wait_for_copies()
            compared = self._compare(requests, objective, final=True)
        facts = self._facts(compared) | copying.facts(self._before, requests)
        judgement = compared.judgement
        if final or judgement.verdict is Verdict.FAIL:
            copies = account(self._servers, self._traffic, self._since, until)
            facts |= copies.facts()
            if judgement.verdict is not Verdict.FAIL:
                judgement = self._lost(judgement, copies)
        return Judgement(verdict=judgement.verdict, reason=judgement.reason, metrics=judgement.metrics, facts=facts)

    def _read(self) -> list[Pair]:
        require_whole(self._servers.dropped())
        return self._pairing.add(self._log.poll().predictions, self._clock.now().timestamp())

    def _compare(self, requests: Sequence[Request], objective: float | None, *, final: bool) -> PairComparison:
        return compare_pairs(
            self._pairs,
            {request.request_id: request.truth for request in requests} or None,
            max_disagreement=self._options.max_disagreement,
            objective=objective,
            alpha=self._alpha * (1 - SERVERS_ALPHA),
            margin=self._options.margin,
            detect=self._options.detect,
            final=final,
        )

    def _wait_for_copies(self) -> None:
        """Until so many of the requests of now have their copies that the rest may be lost. In the end what has none has lost it.

        Later requests do not count: of those only the ones with a copy would be known.
        """
        expected = self._pairing.waiting

        def came() -> bool:
            self._pairs += [pair for pair in self._read() if pair.request_id in expected]
            return self._enough(self._pairing.lost + len(expected & self._pairing.waiting))

        try:
            wait_until(came, timeout=LAST_COPIES_SECONDS, clock=self._clock, reason=lambda: "copies have not come", every=0.2)
        except NotReady:
            self._pairing.lose(expected)

    def _enough(self, lost: int) -> bool:
        """Whether as many copies came as should, if `lost` did not."""
        _, most = binomial.interval(len(self._pairs), len(self._pairs) + lost)
        return most >= self._traffic.mirror / 100 - LOST_POINTS

    def _lost(self, judgement: Judgement, copies: Copies) -> Judgement:
        """No verdict on the pairs if far fewer came than should: the candidate was tried on a part of the requests that nobody chose.

        A FAIL if it is the candidate that has the rest, and has not answered it; else an ERROR.
        """
        if self._enough(self._pairing.lost):
            return judgement
        came, asked = len(self._pairs), len(self._pairs) + self._pairing.lost
        good = sum(pair.candidate.status == 200 for pair in self._pairs)
        failed = copies.charged(came, good, asked, self._options, alpha=self._alpha * SERVERS_ALPHA)
        if failed and failed.verdict is Verdict.FAIL:
            metrics = (failed, *(metric for metric in judgement.metrics if metric.metric != failed.metric))
            return Judgement(verdict=Verdict.FAIL, reason=f"{copies.found()}: {failed.explanation}", metrics=metrics)
        reason = (
            f"{came} of {asked} requests came as a copy, and {self._traffic.mirror} % should have; {copies.found()}: "
            "see whether the proxy drops them, or the prediction log is late"
        )
        return Judgement(verdict=Verdict.ERROR, reason=reason, metrics=judgement.metrics)

    def _facts(self, compared: PairComparison) -> dict[str, Fact]:
        flips = {f"flips {flip}": count for flip, count in compared.flips.items()}
        examples = [
            f"{flip.request_id}: stable said {flip.stable}, the candidate {flip.candidate}"
            + (f", {flip.truth} was right" * bool(flip.truth))
            for flip in compared.examples
        ]
        return {
            "copied requests": compared.pairs,
            "copies without an answer in the log": self._pairing.lost,
            "mean difference of scores (0..1)": compared.score_difference,
            "population stability index": compared.stability_index,
            "median in the replica, stable (s)": compared.stable_median,
            "median in the replica, candidate (s)": compared.candidate_median,
            **flips,
            **{f"example {number}": example for number, example in enumerate(examples, start=1)},
        }
