"""The verdict of an A/B test: whose users got more right answers, told by feedback; and whether the split was what it should be."""

from collections.abc import Mapping, Sequence

from impact.answers import answers, assigned, observations, stickiness
from impact.experiment import MeanComparison, compare_means, sample_ratio
from impact.judge import points
from impact.prediction_log import Drops, Logged, PredictionLog, require_whole
from impact.userlog import Request
from strategies.judgement import Fact, Judgement, Verdict
from strategies.run import JudgeOptions, LoadOptions
from strategies.traffic import Traffic


def at_random(traffic: Traffic, load: LoadOptions) -> bool:
    """Whether who is in which group was chosen at random: by the proxy for a split, by seed for those of the lab's users who match.

    Without users of the lab, those who match are others' users, whom nobody here has chosen.
    """
    return traffic.match is None or (load.rate > 0 and load.group_share > 0)


class ExperimentWitness:
    """Judges one experiment, look by look.

    Args:
        log: predictions and feedback since the experiment began.
        drops: knows how many records were dropped.
        randomised: whether it was chosen at random who is in which group.
    """

    def __init__(self, log: PredictionLog, drops: Drops, options: JudgeOptions, *, randomised: bool) -> None:
        self._log = log
        self._drops = drops
        self._options = options
        self._randomised = randomised
        self._predictions: dict[str, Logged] = {}
        self._truths: dict[str, str] = {}

    def look(self, requests: Sequence[Request], traffic: Traffic, *, final: bool) -> Judgement:
        """What the users' `requests` since the beginning, in the order of their log, say so far.

        Raises:
            WitnessLost: the log cannot be read, or is not whole.
        """
        require_whole(self._drops.dropped())
        news = self._log.poll()
        for one in news.predictions:
            if not one.mirrored:
                self._predictions.setdefault(one.request_id, one)
        self._truths |= news.truths
        groups = list(assigned(requests).values())
        sizes = groups.count(traffic.candidate), groups.count(traffic.stable)
        found = observations(answers(requests, self._predictions, self._truths, final=final), final=final)
        compared = compare_means(found[traffic.candidate], found[traffic.stable], alpha=self._options.alpha)
        facts = self._facts(compared, requests, sizes)
        share = traffic.intended / 100
        if share and not sample_ratio(*sizes, share):
            reason = f"{sizes[0]} users got the candidate and {sizes[1]} stable, which a share of {traffic.intended} % cannot explain"
            return Judgement(verdict=Verdict.ERROR, reason=f"{reason}: see who is sent where, as the groups may differ", facts=facts)
        return self._decide(compared, facts, final=final)

    def _decide(self, compared: MeanComparison, facts: Mapping[str, Fact], *, final: bool) -> Judgement:
        known = compared.candidate_mean is not None and compared.stable_mean is not None
        said = (
            f"candidate right {_percent(compared.candidate_mean)} against stable {_percent(compared.stable_mean)} of their users' answers"
        )
        enough = compared.detectable is not None and compared.detectable <= self._options.margin + self._options.detect
        found = f"a difference of {points(compared.detectable)} points would have been found" if compared.detectable else ""
        match compared.decided:
            case "winner":
                return Judgement(verdict=Verdict.PASS, reason=f"winner: {said}", winner=True, facts=dict(facts))
            case "loser":
                return Judgement(verdict=Verdict.FAIL, reason=f"loser: {said}", facts=dict(facts))
            case _ if not final:
                return Judgement(verdict=Verdict.INCONCLUSIVE, reason=f"no difference found so far: {said}", facts=dict(facts))
            case _ if known and enough:
                return Judgement(verdict=Verdict.PASS, reason=f"no difference found: {said}; {found}", facts=dict(facts))
            case _:
                few = f"too few users to tell ({compared.candidate} and {compared.stable}): {said}"
                return Judgement(
                    verdict=Verdict.INCONCLUSIVE, reason=f"{few}; {found or 'more users or a longer --hold'}", facts=dict(facts)
                )

    def _facts(self, compared: MeanComparison, requests: Sequence[Request], sizes: tuple[int, int]) -> dict[str, Fact]:
        met = stickiness(requests)
        return {
            "randomised": "yes" if self._randomised else "not randomised: who matches was not chosen by the lab, so the groups may differ",
            "candidate's users": sizes[0],
            "stable's users": sizes[1],
            "right answers, candidate (0..1)": compared.candidate_mean,
            "right answers, stable (0..1)": compared.stable_mean,
            "difference": compared.difference,
            "difference, at least": compared.lower,
            "difference, at most": compared.upper,
            "difference that would have been found": compared.detectable,
            "users who met both versions": met.met_both,
        }


def _percent(ratio: float | None) -> str:
    return "unknown" if ratio is None else f"{points(ratio)} %"
