"""From counts to a verdict, and to the sentences that people read. Pure.

FAIL as soon as one metric proves harm beyond the margin. PASS only at the end, and only if every metric has as many
requests as would have proved a harm that matters. Fewer are INCONCLUSIVE, and the number that would do is named.
"""

from collections.abc import Mapping
from math import log

from impact.sequential import Comparison
from strategies.judgement import Count, Judgement, MetricJudgement, Verdict
from strategies.run import JudgeOptions

NOTHING = Count(0, 0)


def judge(
    counts: Mapping[str, tuple[Count, Count]],
    baseline: Mapping[str, Count],
    options: JudgeOptions,
    analyses: int,
    *,
    share: float | None,
    final: bool,
) -> Judgement:
    """Judge a candidate by what users have seen in one analysis.

    Args:
        counts: by metric ("failed", "slow", "wrong") the counts of the candidate and of stable, each with an `n` of its own.
        baseline: by metric what stable did before; none of it is in `counts`.
        options: margin, detect and alpha. Each metric of each analysis gets the same part of alpha, so that all of them
            together raise a false alarm with no more than that probability.
        analyses: how many analyses the whole rollout has.
        share: the candidate's intended share of the requests (0..1, exclusive); None if stable's counts are from another time.
        final: whether the analysis is over.
    """
    limit = log(len(counts) * analyses / options.alpha)
    failed = counts.get("failed", (NOTHING, NOTHING))[1]
    metrics = tuple(
        _judge_metric(
            metric,
            candidate,
            stable,
            Comparison(margin=options.margin, detect=options.detect, share=share, baseline=baseline.get(metric, NOTHING)),
            limit,
            final=final,
            stable_is_down=failed.ratio == 1,
        )
        for metric, (candidate, stable) in counts.items()
    )
    return together(metrics, final=final)


def _judge_metric(
    metric: str, candidate: Count, stable: Count, comparison: Comparison, limit: float, *, final: bool, stable_is_down: bool
) -> MetricJudgement:
    evidence = comparison.log_evidence(candidate, stable)
    needed = comparison.needed(candidate, stable, limit)
    verdict, finding = Verdict.INCONCLUSIVE, ": so far"
    if evidence >= limit:
        verdict, finding = Verdict.FAIL, ""
    elif final and candidate.n < needed:
        longer = "" if comparison.share else ", and stable's in proportion,"
        finding = f": too few to tell; about {needed:,} candidate requests{longer} would be enough"
    elif final and stable.n:
        verdict, finding = Verdict.PASS, f": {_unseen(candidate, stable, comparison, limit)}"
    elif final and stable_is_down:
        # a stable that answers nothing must not block the way out of it
        verdict, finding = Verdict.PASS, ": stable answers nothing, so nothing can be worse"
    elif final:
        finding = ": there is nothing to compare with"
    return MetricJudgement(
        metric=metric,
        candidate=candidate,
        stable=stable,
        margin=comparison.margin,
        verdict=verdict,
        evidence=evidence,
        limit=limit,
        needed=needed,
        explanation=f"candidate {metric} {_compared(candidate, stable, comparison.margin)}{finding}",
    )


def together(metrics: tuple[MetricJudgement, ...], *, final: bool) -> Judgement:
    """What the metrics say together: FAIL as soon as one does, PASS only if all do."""
    verdicts = {metric.verdict for metric in metrics}
    if Verdict.FAIL in verdicts:
        reason = "; ".join(metric.explanation for metric in metrics if metric.verdict is Verdict.FAIL)
        return Judgement(verdict=Verdict.FAIL, reason=reason, metrics=metrics)
    if verdicts == {Verdict.PASS}:
        return Judgement(verdict=Verdict.PASS, reason="enough requests to see a harm that matters, and none was proved", metrics=metrics)
    if not final:
        return Judgement(verdict=Verdict.INCONCLUSIVE, reason="no harm proved so far", metrics=metrics)
    if any(metric.candidate.n for metric in metrics):
        reason = "; ".join(metric.explanation for metric in metrics if metric.verdict is not Verdict.PASS)
    else:
        reason = f"the candidate got no requests; about {max(metric.needed for metric in metrics):,} would be enough"
    return Judgement(verdict=Verdict.INCONCLUSIVE, reason=reason, metrics=metrics)


def _compared(candidate: Count, stable: Count, margin: float) -> str:
    """The values and the limit."""
    sign = ">" if _exceeds(candidate, stable, margin) else "≤" if candidate.n and stable.n else "against"
    return f"{_ratio(candidate)} {sign} stable {_ratio(stable)} + margin {points(margin)} %"


def _exceeds(candidate: Count, stable: Count, margin: float) -> bool:
    return candidate.ratio is not None and stable.ratio is not None and candidate.ratio > stable.ratio + margin


def _unseen(candidate: Count, stable: Count, comparison: Comparison, limit: float) -> str:
    """What can be said of a harm that was not proved by enough requests."""
    if comparison.log_evidence_of_no_harm(candidate, stable) >= limit:
        return "harm beyond the margin is ruled out"
    detectable = comparison.detectable(candidate, stable, limit)
    if detectable is None:
        return "stable is too bad for a harm that matters"
    found = "not proved" if _exceeds(candidate, stable, comparison.margin) else "not seen"
    return f"{found}; harm from {points(detectable)} points would have been"


def _ratio(count: Count) -> str:
    return "unknown (no requests)" if count.ratio is None else f"{points(count.ratio)} % of {count.n:,}"


def points(ratio: float) -> str:
    """A ratio or a difference of ratios in percent or points: 0.0312 is 3.1."""
    return f"{100 * ratio:.1f}".removesuffix(".0")
