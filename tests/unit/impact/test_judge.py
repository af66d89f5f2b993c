from math import log

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from impact.judge import judge
from strategies.judgement import Count, Judgement, MetricJudgement, Verdict
from strategies.run import JudgeOptions

OPTIONS = JudgeOptions()
BASELINE = {"failed": Count(0, 250), "slow": Count(1, 250), "wrong": Count(12, 250)}
SOUND = {"failed": (Count(0, 225), Count(0, 2025)), "slow": (Count(1, 225), Count(8, 2025)), "wrong": (Count(11, 225), Count(101, 2025))}


def judged(
    counts: dict[str, tuple[Count, Count]], *, final: bool = True, share: float | None = 0.1, analyses: int = 1, baseline: bool = True
) -> Judgement:
    return judge(counts, BASELINE if baseline else {}, OPTIONS, analyses, share=share, final=final)


def metric(judgement: Judgement, name: str) -> MetricJudgement:
    return next(metric for metric in judgement.metrics if metric.metric == name)


def test_enough_sound_requests_pass_and_say_what_would_have_been_seen() -> None:
    judgement = judged(SOUND)

    assert judgement.verdict is Verdict.PASS
    assert metric(judgement, "wrong").explanation.startswith(
        "candidate wrong 4.9 % of 225 ≤ stable 5 % of 2,025 + margin 2 %: not seen; harm from 1"
    )
    assert metric(judgement, "wrong").explanation.endswith(" points would have been")


def test_very_many_sound_requests_rule_harm_out() -> None:
    judgement = judged({"failed": (Count(0, 400), Count(0, 3600))})

    assert judgement.verdict is Verdict.PASS
    assert (
        judgement.metrics[0].explanation
        == "candidate failed 0 % of 400 ≤ stable 0 % of 3,600 + margin 2 %: harm beyond the margin is ruled out"
    )


def test_before_the_end_nothing_passes() -> None:
    judgement = judged(SOUND, final=False)

    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.reason == "no harm proved so far"
    assert {each.verdict for each in judgement.metrics} == {Verdict.INCONCLUSIVE}


def test_few_requests_are_no_finding_before_the_end() -> None:
    judgement = judged({"slow": (Count(1, 20), Count(2, 200))}, final=False)

    assert judgement.metrics[0].explanation == "candidate slow 5 % of 20 > stable 1 % of 200 + margin 2 %: so far"


@pytest.mark.parametrize("final", [False, True])
@pytest.mark.parametrize("name", ["failed", "slow", "wrong"])
def test_harm_in_one_metric_fails_at_once_and_is_the_reason(name: str, *, final: bool) -> None:
    judgement = judged(SOUND | {name: (Count(67, 216), Count(8, 2025))}, final=final)

    assert judgement.verdict is Verdict.FAIL
    assert judgement.reason == f"candidate {name} 31 % of 216 > stable 0.4 % of 2,025 + margin 2 %"
    assert [each.metric for each in judgement.metrics if each.verdict is Verdict.FAIL] == [name]
    assert metric(judgement, name).evidence >= metric(judgement, name).limit


def test_too_few_requests_are_inconclusive_and_say_how_many_would_do() -> None:
    judgement = judged(SOUND | {"wrong": (Count(4, 80), Count(36, 720))})
    wrong = metric(judgement, "wrong")

    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert metric(judgement, "failed").verdict is Verdict.PASS
    assert wrong.needed > 80
    assert judgement.reason == wrong.explanation
    assert wrong.explanation == (
        "candidate wrong 5 % of 80 ≤ stable 5 % of 720 + margin 2 %: "
        f"too few to tell; about {wrong.needed} candidate requests would be enough"
    )


@pytest.mark.parametrize("final", [False, True])
def test_no_request_at_all_is_inconclusive_and_never_zero(*, final: bool) -> None:
    nothing = (Count(0, 0), Count(0, 0))
    judgement = judged({"failed": nothing, "slow": nothing, "wrong": nothing}, final=final, baseline=False)

    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert all("unknown (no requests)" in each.explanation for each in judgement.metrics)
    if final:
        assert judgement.reason == f"the candidate got no requests; about {judgement.metrics[0].needed} would be enough"


def test_a_candidate_that_nobody_asked_is_told_how_many_requests_the_hardest_metric_needs() -> None:
    judgement = judged({name: (Count(0, 0), BASELINE[name]) for name in BASELINE})

    assert judgement.reason == f"the candidate got no requests; about {metric(judgement, 'wrong').needed} would be enough"
    assert metric(judgement, "wrong").needed > metric(judgement, "failed").needed


def test_nothing_to_compare_with_is_inconclusive() -> None:
    judgement = judged({"failed": (Count(0, 500), Count(0, 0))})

    assert judgement.verdict is Verdict.INCONCLUSIVE
    assert judgement.reason.endswith("there is nothing to compare with")


def test_a_stable_that_answers_nothing_does_not_block_a_sound_candidate() -> None:
    sound = {"failed": (Count(0, 300), Count(2700, 2700)), "slow": (Count(0, 300), Count(0, 2700)), "wrong": (Count(9, 300), Count(0, 0))}

    assert judged(sound, baseline=False).verdict is Verdict.PASS
    assert judged(sound | {"wrong": (Count(0, 0), Count(0, 0))}, baseline=False).verdict is Verdict.INCONCLUSIVE


def test_before_and_after_is_judged_against_the_baseline() -> None:
    before = {name: (Count(round(2250 * count.ratio), 2250), count) for name, count in BASELINE.items() if count.ratio is not None}

    assert judged(before, share=None, baseline=False).verdict is Verdict.PASS
    few = judged({name: (Count(0, 20), count) for name, count in BASELINE.items()}, share=None, baseline=False)
    assert few.verdict is Verdict.INCONCLUSIVE
    assert "and stable's in proportion" in few.reason


def test_alpha_is_shared_among_metrics_and_analyses() -> None:
    assert {each.limit for each in judged(SOUND).metrics} == {log(3 / 0.05)}
    assert judged(SOUND, analyses=3).metrics[0].limit == pytest.approx(log(9 / 0.05))


def test_a_margin_that_is_exceeded_but_not_proved_is_not_called_unseen() -> None:
    judgement = judged({"failed": (Count(8, 225), Count(0, 2025))})

    assert judgement.verdict is Verdict.PASS
    assert "3.6 % of 225 > stable 0 % of 2,025 + margin 2 %: not proved; harm from" in judgement.metrics[0].explanation


@st.composite
def pairs(draw: st.DrawFn) -> tuple[Count, Count]:
    n_c, n_s = draw(st.integers(0, 500)), draw(st.integers(0, 4500))
    return Count(draw(st.integers(0, n_c)), n_c), Count(draw(st.integers(0, n_s)), n_s)


@settings(max_examples=50)
@given(st.fixed_dictionaries({"failed": pairs(), "slow": pairs(), "wrong": pairs()}), st.booleans())
def test_only_harm_that_can_be_seen_fails_and_only_enough_requests_pass(counts: dict[str, tuple[Count, Count]], final: bool) -> None:
    judgement = judged(counts, final=final)

    for each in judgement.metrics:
        if each.verdict is Verdict.FAIL:
            assert each.candidate.bad / each.candidate.n > each.stable.bad / each.stable.n + each.margin
        if each.verdict is Verdict.PASS:
            assert final
            assert each.candidate.n >= each.needed
    verdicts = {each.verdict for each in judgement.metrics}
    worst_first = [Verdict.FAIL, Verdict.INCONCLUSIVE, Verdict.PASS]
    assert judgement.verdict is next(verdict for verdict in worst_first if verdict in verdicts)


def test_identical_versions_are_not_rolled_back() -> None:
    """A/A at the lab's defaults: 5 and 45 requests per second, looks after 15, 30 and 45 seconds."""
    random = np.random.default_rng(3)
    ratios = {"failed": 0.0, "slow": 0.01, "wrong": 0.06}
    verdicts = []
    for _ in range(50):
        seen = dict.fromkeys(ratios, (Count(0, 0), Count(0, 0)))
        for look in range(3):
            requests = random.poisson((5 * 15, 45 * 15))
            for name, ratio in ratios.items():
                (candidate, stable), bad = seen[name], random.binomial(requests, ratio)
                seen[name] = _plus(candidate, bad[0], requests[0]), _plus(stable, bad[1], requests[1])
            verdict = judged(seen, final=look == 2).verdict
            assert verdict is not Verdict.FAIL
        verdicts.append(verdict)

    assert verdicts.count(Verdict.PASS) > 0.7 * len(verdicts)


def _plus(count: Count, bad: int, n: int) -> Count:
    return Count(count.bad + int(bad), count.n + int(n))
