import subprocess
import sys
from math import exp, inf, isfinite, log
from typing import Any

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.special import rel_entr
from scipy.stats import binom

from impact.sequential import Comparison, _bets, log_evidence
from strategies.judgement import Count

LAB = Comparison(margin=0.02, detect=0.10, share=0.1, baseline=Count(12, 250))
ROUNDING = 1e-5


@st.composite
def counts(draw: st.DrawFn, most: int = 5000) -> Count:
    n = draw(st.integers(0, most))
    return Count(draw(st.integers(0, n)), n)


comparisons = st.builds(
    Comparison,
    margin=st.floats(0, 0.3),
    detect=st.floats(0.01, 0.5),
    share=st.none() | st.floats(0.01, 0.99),
    baseline=counts(500),
)


# --- what holds for all counts -----------------------------------------------------------------------------------------


@given(comparisons, counts(), counts())
def test_evidence_is_a_number_for_all_counts(comparison: Comparison, candidate: Count, stable: Count) -> None:
    assert isfinite(comparison.log_evidence(candidate, stable))
    assert isfinite(comparison.log_evidence_of_no_harm(candidate, stable))


@given(comparisons)
def test_without_requests_there_is_no_evidence(comparison: Comparison) -> None:
    assert comparison.log_evidence(Count(0, 0), Count(0, 0)) == pytest.approx(0, abs=ROUNDING)


@given(comparisons, counts(), counts())
def test_one_more_bad_request_of_the_candidate_is_more_evidence_and_one_of_stable_is_less(
    comparison: Comparison, candidate: Count, stable: Count
) -> None:
    assume(candidate.bad < candidate.n and stable.bad < stable.n)
    evidence = comparison.log_evidence(candidate, stable)

    assert comparison.log_evidence(Count(candidate.bad + 1, candidate.n), stable) >= evidence - ROUNDING
    assert comparison.log_evidence(candidate, Count(stable.bad + 1, stable.n)) <= evidence + ROUNDING


@given(comparisons, counts(), counts())
def test_a_ratio_within_the_margin_is_never_evidence_of_harm(comparison: Comparison, candidate: Count, stable: Count) -> None:
    assume(candidate.bad * stable.n <= (stable.bad + comparison.margin * stable.n) * candidate.n)

    assert comparison.log_evidence(candidate, stable) <= ROUNDING


@given(comparisons, counts(), counts())
def test_harm_is_never_both_proved_and_ruled_out(comparison: Comparison, candidate: Count, stable: Count) -> None:
    assert min(comparison.log_evidence(candidate, stable), comparison.log_evidence_of_no_harm(candidate, stable)) <= ROUNDING


@given(comparisons, counts(), counts())
def test_harm_at_or_beyond_the_margin_is_never_ruled_out(comparison: Comparison, candidate: Count, stable: Count) -> None:
    assume(candidate.n and stable.n)
    assume(candidate.bad * stable.n >= (stable.bad + comparison.margin * stable.n) * candidate.n)

    assert comparison.log_evidence_of_no_harm(candidate, stable) <= ROUNDING


def test_identical_versions_without_a_bad_request_are_told_apart_from_harm_in_the_end() -> None:
    unspoilt = Comparison(margin=0.02, detect=0.10, share=0.1, baseline=Count(0, 250))

    assert unspoilt.log_evidence_of_no_harm(Count(0, 100), Count(0, 900)) < log(20)
    assert unspoilt.log_evidence_of_no_harm(Count(0, 300), Count(0, 2700)) > log(20)


@pytest.mark.parametrize("wrong", [{"margin": 1.0}, {"detect": 0.0}, {"share": 0.0}, {"share": 1.0}])
def test_an_impossible_comparison_is_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match="no two ratios can be compared"):
        Comparison(**{"margin": 0.02, "detect": 0.1, **wrong})


# --- the formula, computed another way ---------------------------------------------------------------------------------


@pytest.mark.parametrize("margin", [0.0, 0.02, 0.3, -0.02])
@pytest.mark.parametrize("share", [0.1, 0.5])
def test_a_bet_is_the_likelihood_ratio_to_the_nearest_point_of_the_null(margin: float, share: float) -> None:
    """What is drawn from the alternative that a bet is laid on makes it grow faster than any other bet at that point."""
    comparison = Comparison(margin=margin, detect=0.1, share=share)
    bets = _bets(comparison)
    low, high = max(0.0, -margin), min(1.0, 1.0 - margin)
    ratios = low + (high - low) * np.sin((np.arange(14) + 0.5) / 14 * np.pi / 2) ** 2

    for ratio in ratios:
        c = ratio + margin + min(0.08, 0.95 * (1 - ratio - margin))

        def distance(p: float, s: float = ratio, c: float = c) -> float:
            return share * _relative_entropy(c, p + margin) + (1 - share) * _relative_entropy(s, p)

        p = minimize_scalar(distance, bounds=(low, high), method="bounded", options={"xatol": 1e-12}).x
        u = _log_odds(c) - _log_odds(p + margin)
        v = _log_odds(ratio) - _log_odds(p)
        assert min(np.hypot(bets.candidate - u, bets.stable - v)) < 1e-3


@settings(max_examples=30)
@given(counts(60), counts(200))
def test_evidence_is_what_a_search_over_the_null_finds(candidate: Count, stable: Count) -> None:
    bets = _bets(LAB)
    stakes = [(exp(u), exp(v), exp(w)) for u, v, w in zip(*bets, strict=True)]

    def won(s: float) -> float:
        """What the bets have won on average, were stable's ratio s and the candidate's larger by the margin."""
        c = s + LAB.margin
        return float(
            sum(
                w * (x / (1 - c + c * x)) ** candidate.bad * (1 / (1 - c + c * x)) ** (candidate.n - candidate.bad)
                * (y / (1 - s + s * y)) ** stable.bad * (1 / (1 - s + s * y)) ** (stable.n - stable.bad)
                for x, y, w in stakes
            )
        )  # fmt: skip

    least = min(won(s) for s in np.linspace(0, 1 - LAB.margin, 400))

    assert LAB.log_evidence(candidate, stable) <= log(least) + ROUNDING
    assert LAB.log_evidence(candidate, stable) == pytest.approx(log(least), abs=0.02)


def test_the_stakes_are_one_in_all() -> None:
    assert np.exp(_bets(LAB).log_stake).sum() == pytest.approx(1)


# --- false alarms ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "comparison",
    [
        LAB,
        Comparison(margin=0.02, detect=0.10),
        Comparison(margin=0.0, detect=0.05, share=0.5),
        Comparison(margin=0.1, detect=0.3, share=0.9, baseline=Count(100, 100)),
    ],
    ids=["lab", "no share", "no margin", "all that is told is wrong"],
)
@pytest.mark.parametrize(("n_c", "n_s"), [(5, 45), (20, 20), (40, 8), (12, 0), (0, 12)])
def test_evidence_of_what_is_not_so_is_expected_to_be_one_at_most(comparison: Comparison, n_c: int, n_s: int) -> None:
    """The exact expectation over all counts, at points all over the null and on its boundary."""
    k_c, k_s = np.meshgrid(np.arange(n_c + 1), np.arange(n_s + 1), indexing="ij")
    evidence = np.exp(log_evidence(comparison, k_c, np.full_like(k_c, n_c), k_s, np.full_like(k_s, n_s)))

    for p_s in np.linspace(0, 1, 21):
        for p_c in np.linspace(0, min(1, p_s + comparison.margin), 5):
            expected = binom.pmf(np.arange(n_c + 1), n_c, p_c) @ evidence @ binom.pmf(np.arange(n_s + 1), n_s, p_s)
            assert expected <= 1 + ROUNDING


@pytest.mark.parametrize("share", [0.1, 0.4])
def test_ratios_that_drift_together_are_no_evidence_at_any_fixed_look(share: float) -> None:
    """The exact expectation, where each request goes to the candidate at random and both ratios change all the time."""
    n = 16
    reached = np.zeros((n + 1, n + 1, n + 1))  # by candidate requests, its bad ones, stable's bad ones
    reached[0, 0, 0] = 1
    for request in range(n):
        p_s = (0.0, 0.9, 0.1, 0.5)[request % 4]
        p_c = p_s + LAB.margin
        after = (1 - share) * (1 - p_s) * reached
        after[1:] += share * (1 - p_c) * reached[:-1]
        after[1:, 1:] += share * p_c * reached[:-1, :-1]
        after[:, :, 1:] += (1 - share) * p_s * reached[:, :, :-1]
        reached = after
    n_c, k_c, k_s = np.indices(reached.shape)
    possible = reached > 0
    evidence = np.exp(log_evidence(LAB, k_c[possible], n_c[possible], k_s[possible], n - n_c[possible]))

    assert reached.sum() == pytest.approx(1)
    assert reached[possible] @ evidence <= 1 + ROUNDING


@pytest.mark.parametrize("ratios", [(0.0,), (0.05,), (0.0, 0.3)], ids=["no bad requests", "steady", "a machine that is busy by turns"])
def test_looking_all_the_time_raises_no_more_false_alarms_than_allowed(ratios: tuple[float, ...]) -> None:
    """At the boundary of the null, with a look after every fifth request of the candidate."""
    alpha, runs, looks = 0.05, 1000, np.arange(5, 201, 5)
    random = np.random.default_rng(7)
    stable = np.resize(np.repeat(ratios, 20), looks[-1])
    alarms = 0
    for _ in range(runs // 50):
        k_c = (random.random((50, len(stable))) < stable + LAB.margin).cumsum(axis=1)[:, looks - 1]
        between = random.negative_binomial(1, 0.1, (50, len(stable)))
        n_s, k_s = between.cumsum(axis=1)[:, looks - 1], random.binomial(between, stable).cumsum(axis=1)[:, looks - 1]
        alarms += np.any(log_evidence(LAB, k_c, np.broadcast_to(looks, k_c.shape), k_s, n_s) >= log(1 / alpha), axis=1).sum()

    assert alarms <= binom.ppf(0.999, runs, alpha)


# --- power -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("ratio", "at_most"), [(0.0, 90), (0.02, 140), (0.05, 180), (0.1, 250)])
def test_few_requests_are_needed_at_the_defaults_of_the_lab(ratio: float, at_most: int) -> None:
    """A canary of 10 % at 50 requests per second gets 225 in a hold of 45 s."""
    comparison = Comparison(margin=0.02, detect=0.10, share=0.1, baseline=Count(round(250 * ratio), 250))

    assert comparison.needed(Count(0, 0), Count(round(1000 * ratio), 1000), log(3 / 0.05)) <= at_most


@pytest.mark.parametrize("share", [0.1, 0.5, None])
@pytest.mark.parametrize("ratio", [0.0, 0.02, 0.05, 0.3])
def test_as_many_requests_as_needed_prove_the_harm_as_often_as_promised(ratio: float, share: float | None) -> None:
    random = np.random.default_rng(11)
    comparison = Comparison(margin=0.02, detect=0.10, share=share, baseline=Count(round(200 * ratio), 200))
    limit, runs = log(60), 2000
    needed = comparison.needed(Count(0, 0), Count(0, 0), limit)
    beside = round(needed * (1 / (share or 0.5) - 1))
    k_c, k_s = random.binomial(needed, ratio + 0.12, runs), random.binomial(beside, ratio, runs)

    proved = log_evidence(comparison, k_c, np.full(runs, needed), k_s, np.full(runs, beside)) >= limit

    assert 0.77 < proved.mean() < 0.92


@settings(max_examples=40)
@given(comparisons, counts(), counts(), st.floats(2, 8))
def test_enough_requests_and_what_would_have_been_seen_say_the_same(
    comparison: Comparison, candidate: Count, stable: Count, limit: float
) -> None:
    assume(candidate.n and stable.n)
    harm = comparison.margin + comparison.detect
    assume(stable.bad / stable.n + harm <= 1)
    seen = comparison.detectable(candidate, stable, limit)

    if candidate.n >= comparison.needed(candidate, stable, limit):
        assert seen is not None
        assert seen <= harm + 1e-4
    else:
        assert (inf if seen is None else seen) >= harm - 1e-4


def test_more_evidence_asked_for_needs_more_requests() -> None:
    needed = [LAB.needed(Count(0, 0), Count(0, 0), limit) for limit in (2.0, 4.0, 8.0)]

    assert needed == sorted(set(needed))


def test_a_stable_that_cannot_be_undercut_needs_no_more_than_one_request() -> None:
    assert LAB.needed(Count(1, 1), Count(95, 100), log(60)) == 1


def test_no_request_detects_nothing() -> None:
    assert LAB.detectable(Count(0, 0), Count(5, 100), log(60)) is None


def test_a_share_other_than_told_does_not_blind_the_test() -> None:
    """As where stable fails so often that few of its answers can be wrong ones."""
    assert LAB.needed(Count(30, 300), Count(50, 1000), log(60)) < 300


def test_a_stable_that_is_not_what_it_was_does_not_blind_the_test() -> None:
    misled = Comparison(margin=0.02, detect=0.10, share=0.1, baseline=Count(0, 250))

    assert misled.needed(Count(0, 0), Count(50, 1000), log(60)) < 300


def test_nothing_heavy_is_imported_before_a_comparison_is_made() -> None:
    code = "import sys, impact.judge, impact.binomial; sys.exit('numpy' in sys.modules)"

    subprocess.run([sys.executable, "-c", code], check=True)


def _relative_entropy(p: float, q: float) -> float:
    return float(rel_entr(p, q) + rel_entr(1 - p, 1 - q))


def _log_odds(p: float) -> float:
    return log(p / (1 - p))
