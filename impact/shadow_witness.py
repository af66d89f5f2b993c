"""The verdict of a shadow: both versions' answers to the same requests, and whether the copies came."""

import time
from collections.abc import Mapping

from impact import binomial
from impact.pairing import Pair, Pairing
from impact.pairs import PairComparison, compare_pairs
from impact.prediction_log import Drops, PredictionLog, require_whole
from strategies.judgement import Fact, Judgement, Verdict
from strategies.run import JudgeOptions
from strategies.traffic import Traffic

LOST_POINTS = 0.02
"""So many of the copies (0..1) may be lost: a proxy drops some of its own accord, and those that came are compared all the same."""


class ShadowWitness:
    """Judges one shadow, look by look.

    Args:
        log: predictions since the copying began, copies included.
        drops: knows how many records were dropped.
        alpha: the probability of a wrong FAIL.
    """

    def __init__(self, log: PredictionLog, drops: Drops, options: JudgeOptions, traffic: Traffic, *, alpha: float) -> None:
        self._log = log
        self._drops = drops
        self._options = options
        self._traffic = traffic
        self._alpha = alpha
        self._pairing = Pairing(traffic.stable)
        self._pairs: list[Pair] = []

    def look(self, truths: Mapping[str, str], objective: float | None, *, final: bool) -> Judgement:
        """What the pairs say so far.

        Args:
            truths: the right class of each request, as far as users know it.
            objective: seconds above which an answer is slow.
            final: whether the comparison is over.

        Raises:
            WitnessLost: the log cannot be read, or is not whole.
        """
        require_whole(self._drops.dropped())
        self._pairs += self._pairing.add(self._log.poll().predictions, time.time())
        compared = compare_pairs(
            self._pairs,
            truths or None,
            max_disagreement=self._options.max_disagreement,
            objective=objective,
            alpha=self._alpha,
            margin=self._options.margin,
            detect=self._options.detect,
            final=final,
        )
        judgement = Judgement(
            verdict=compared.judgement.verdict,
            reason=compared.judgement.reason,
            metrics=compared.judgement.metrics,
            facts=self._facts(compared),
        )
        return self._lost(judgement) if final and judgement.verdict is not Verdict.FAIL else judgement

    def _lost(self, judgement: Judgement) -> Judgement:
        """An ERROR if far fewer copies came than should: then the candidate was tried on a part of the requests that nobody chose."""
        came, asked = len(self._pairs), len(self._pairs) + self._pairing.lost
        _, most = binomial.interval(came, asked)
        if most >= self._traffic.mirror / 100 - LOST_POINTS:
            return judgement
        reason = f"{came} of {asked} requests came as a copy, and {self._traffic.mirror} % should have: see whether the proxy drops them"
        return Judgement(verdict=Verdict.ERROR, reason=reason, metrics=judgement.metrics, facts=judgement.facts)

    def _facts(self, compared: PairComparison) -> dict[str, Fact]:
        flips = {f"flips {flip}": count for flip, count in compared.flips.items()}
        examples = [
            f"{flip.request_id}: stable said {flip.stable}, the candidate {flip.candidate}"
            + (f", {flip.truth} was right" * bool(flip.truth))
            for flip in compared.examples
        ]
        return {
            "copied requests": compared.pairs,
            "copies that never came": self._pairing.lost,
            "mean difference of scores (0..1)": compared.score_difference,
            "population stability index": compared.stability_index,
            "median in the replica, stable (s)": compared.stable_median,
            "median in the replica, candidate (s)": compared.candidate_median,
            **flips,
            **{f"example {number}": example for number, example in enumerate(examples, start=1)},
        }
