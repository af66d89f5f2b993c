"""Both versions' answers to the same requests: joined whole, judged as promised, told with examples."""

from collections.abc import Sequence
from math import log

import numpy as np
import pytest

from impact.drift import mean_absolute_difference, population_stability_index
from impact.pairing import GRACE_SECONDS, Pair, Pairing, Said
from impact.pairs import PairComparison, compare_pairs
from impact.prediction_log import Logged
from strategies.judgement import Count, MetricJudgement, Verdict
from strategies.traffic import Slot

RIGHT = Said("benign", 0.9, 0.002, 200)
WRONG = Said("malignant", 0.8, 0.004, 200)
FAILED = Said("", None, 0.001, 500)


def pairs(*kinds: tuple[int, Said, Said]) -> list[Pair]:
    """So many pairs of each kind (stable's, the candidate's), one kind after the other."""
    sides = [side for times, *side in kinds for _ in range(times)]
    return [Pair(f"r-{number}", stable, candidate) for number, (stable, candidate) in enumerate(sides)]


def compare(found: Sequence[Pair], *, max_disagreement: float = 0.05, alpha: float = 0.05, final: bool = True) -> PairComparison:
    truths = {pair.request_id: "benign" for pair in found}
    return compare_pairs(found, truths, max_disagreement=max_disagreement, alpha=alpha, margin=0.02, detect=0.10, final=final)


def metric(found: PairComparison, name: str) -> MetricJudgement:
    (judged,) = [judged for judged in found.judgement.metrics if judged.metric == name]
    return judged


# --- judging ------------------------------------------------------------------------------------------------------------


def test_an_equal_candidate_passes_once_there_are_enough_pairs_and_not_before() -> None:
    equal = pairs((900, RIGHT, RIGHT), (30, WRONG, WRONG))
    needed = max(judged.needed for judged in compare(equal).judgement.metrics)

    assert 20 < needed < 400
    assert compare(equal).judgement.verdict is Verdict.PASS
    assert compare(equal, final=False).judgement.verdict is Verdict.INCONCLUSIVE
    few = compare(equal[:20]).judgement
    assert few.verdict is Verdict.INCONCLUSIVE
    assert "too few to tell" in few.reason
    assert compare([]).judgement.verdict is Verdict.INCONCLUSIVE


def test_a_candidate_that_is_wrong_more_often_fails_before_the_end() -> None:
    worse = compare(pairs((500, RIGHT, RIGHT), (10, WRONG, RIGHT), (60, RIGHT, WRONG)), max_disagreement=0.5, final=False)

    assert worse.judgement.verdict is Verdict.FAIL
    assert metric(worse, "wrong").candidate == Count(60, 570)
    assert metric(worse, "wrong").stable == Count(10, 570)
    assert worse.judgement.reason == "candidate wrong on 10.5 % > stable 1.8 % + margin 2 % of 570 copied requests with a known truth"


def test_a_candidate_that_is_right_more_often_is_no_worse_but_may_disagree_too_much() -> None:
    better = compare(pairs((500, RIGHT, RIGHT), (100, WRONG, RIGHT)))

    assert metric(better, "wrong").verdict is Verdict.PASS
    assert "more is ruled out" in metric(better, "wrong").explanation
    assert metric(better, "disagreement").verdict is Verdict.FAIL
    assert better.judgement.reason == "answers differ on 16.7 % of 600 copied requests > 5 % allowed"
    assert compare(pairs((500, RIGHT, RIGHT), (100, WRONG, RIGHT)), max_disagreement=0.3).judgement.verdict is Verdict.PASS


def test_failures_are_compared_over_all_pairs_and_predictions_only_where_both_made_one() -> None:
    failing = compare(pairs((300, RIGHT, RIGHT), (40, RIGHT, FAILED), (5, FAILED, RIGHT), (3, FAILED, FAILED)))

    assert failing.judgement.verdict is Verdict.FAIL
    assert metric(failing, "failed").candidate == Count(43, 348)
    assert metric(failing, "failed").stable == Count(8, 348)
    assert (failing.pairs, failing.answered, failing.with_truth) == (348, 300, 300)
    assert metric(failing, "wrong").verdict is Verdict.PASS


def test_only_truths_that_were_told_say_who_is_wrong() -> None:
    found = pairs((100, RIGHT, RIGHT), (50, RIGHT, WRONG))
    options = {"max_disagreement": 0.9, "alpha": 0.05, "margin": 0.02, "detect": 0.10}
    told = compare_pairs(found, {"r-0": "benign", "r-149": "malignant"}, **options, final=True)
    untold = compare_pairs(found, None, **options, final=True)

    assert (metric(told, "wrong").candidate, metric(told, "wrong").stable) == (Count(0, 2), Count(1, 2))
    assert told.judgement.verdict is Verdict.INCONCLUSIVE
    assert [judged.metric for judged in untold.judgement.metrics] == ["failed", "disagreement"]
    assert untold.judgement.metrics[0].limit == pytest.approx(log(2 / 0.05))
    assert untold.judgement.verdict is Verdict.PASS


def test_looking_after_every_tenth_pair_raises_no_more_false_alarms_than_promised() -> None:
    """A candidate exactly as bad as is acceptable: wrong two points more often, and differing as often as allowed."""
    chance, alarms, runs, alpha = np.random.default_rng(7), 0, 60, 0.4
    for _ in range(runs):
        kinds = chance.choice(3, size=400, p=[0.93, 0.045, 0.025])
        found = pairs(*((1, *((RIGHT, RIGHT), (RIGHT, WRONG), (WRONG, RIGHT))[kind]) for kind in kinds))
        alarms += any(
            compare(found[:n], max_disagreement=0.07, alpha=alpha, final=False).judgement.verdict is Verdict.FAIL
            for n in range(10, 401, 10)
        )

    assert alarms <= alpha * runs


def test_as_many_pairs_as_are_called_enough_prove_the_harm_about_as_often_as_said() -> None:
    chance = np.random.default_rng(8)
    equal = compare(pairs((970, RIGHT, RIGHT), (15, RIGHT, WRONG), (15, WRONG, RIGHT)))
    needed = metric(equal, "wrong").needed
    proved = []
    for _ in range(100):
        kinds = chance.choice(3, size=needed, p=[1 - 0.135 - 0.015, 0.135, 0.015])
        found = pairs(*((1, *((RIGHT, RIGHT), (RIGHT, WRONG), (WRONG, RIGHT))[kind]) for kind in kinds))
        proved.append(metric(compare(found), "wrong").verdict is Verdict.FAIL)

    assert 0.65 < np.mean(proved) < 0.95


def test_flips_are_counted_and_five_are_shown_with_what_was_true() -> None:
    found = compare(pairs((10, RIGHT, RIGHT), (7, RIGHT, WRONG), (2, WRONG, RIGHT), (4, RIGHT, FAILED)))

    assert found.flips == {"benign → malignant": 7, "malignant → benign": 2}
    assert [flip.request_id for flip in found.examples] == [f"r-{number}" for number in range(10, 15)]
    assert {(flip.stable, flip.candidate, flip.truth) for flip in found.examples} == {("benign", "malignant", "benign")}
    assert (found.stable_median, found.candidate_median) == (0.002, 0.002)


def test_without_pairs_nothing_is_known() -> None:
    found = compare([])

    assert (found.pairs, found.score_difference, found.stability_index, found.stable_median) == (0, None, None, None)


# --- drift --------------------------------------------------------------------------------------------------------------


def test_the_difference_of_scores_is_of_the_same_class() -> None:
    assert mean_absolute_difference([Pair("a", RIGHT, Said("benign", 0.6, 0, 200))]) == pytest.approx(0.3)
    assert mean_absolute_difference([Pair("a", RIGHT, Said("malignant", 0.6, 0, 200))]) == pytest.approx(0.5)
    assert mean_absolute_difference([Pair("a", RIGHT, FAILED)]) is None


def test_the_stability_index_tells_a_shift_from_chance() -> None:
    chance = np.random.default_rng(9)

    def scored(stable: float, candidate: float) -> list[Pair]:
        sides = np.clip([chance.normal(stable, 0.1, 2000), chance.normal(candidate, 0.1, 2000)], 0.01, 0.99).T
        return [Pair(str(number), *(Said("benign", float(score), 0, 200) for score in both)) for number, both in enumerate(sides)]

    def index(found: list[Pair]) -> float:
        return population_stability_index(found) or 0.0

    assert 0 < index(scored(0.6, 0.6)) < 0.05
    assert index(scored(0.6, 0.7)) > 0.25
    assert population_stability_index(pairs((500, RIGHT, RIGHT))) == 0
    assert population_stability_index(scored(0.6, 0.7)[:50]) is None


# --- joining ------------------------------------------------------------------------------------------------------------


def logged(request_id: str, slot: Slot, *, mirrored: bool, at: float = 100.0, prediction: str = "benign") -> Logged:
    return Logged(request_id, at, slot, "v", mirrored, prediction, 0.9 if prediction else None, 0.25, 200 if prediction else 500)


def test_halves_are_joined_whichever_comes_first_and_once_only() -> None:
    pairing = Pairing(Slot.BLUE)
    original, copy = logged("a", Slot.BLUE, mirrored=False), logged("a", Slot.GREEN, mirrored=True, prediction="")
    late, early = logged("b", Slot.BLUE, mirrored=False), logged("b", Slot.GREEN, mirrored=True)

    assert pairing.add([original, early], 101) == []
    assert [pair.request_id for pair in pairing.add([copy, late], 102)] == ["a", "b"]
    assert pairing.add([copy, original, late, early], 103) == []
    assert (sorted(pairing.waiting), pairing.lost) == ([], 0)


def test_a_pair_has_each_sides_own_answer() -> None:
    (pair,) = Pairing(Slot.GREEN).add(
        [
            logged("a", Slot.GREEN, mirrored=False),
            logged("a", Slot.BLUE, mirrored=True, prediction=""),
            logged("a", Slot.GREEN, mirrored=False),
        ],
        101,
    )

    assert pair == Pair("a", Said("benign", 0.9, 0.25, 200), Said("", None, 0.25, 500))


def test_requests_of_users_to_the_candidate_and_copies_to_stable_are_no_halves() -> None:
    pairing = Pairing(Slot.BLUE)

    assert pairing.add([logged("a", Slot.BLUE, mirrored=True), logged("a", Slot.GREEN, mirrored=False)], 101) == []
    assert not pairing.waiting


def test_a_copy_that_does_not_come_within_the_grace_is_lost() -> None:
    pairing = Pairing(Slot.BLUE)
    pairing.add([logged("a", Slot.BLUE, mirrored=False), logged("b", Slot.BLUE, mirrored=False, at=105)], 106)

    assert (sorted(pairing.waiting), pairing.lost) == (["a", "b"], 0)
    pairing.add([], 100.3 + GRACE_SECONDS)
    assert (sorted(pairing.waiting), pairing.lost) == (["b"], 1)
    assert [pair.request_id for pair in pairing.add([logged("b", Slot.GREEN, mirrored=True)], 120)] == ["b"]
    assert (sorted(pairing.waiting), pairing.lost) == ([], 1)


def test_copies_that_are_not_waited_for_any_longer_are_lost_once_and_those_that_came_are_not() -> None:
    pairing = Pairing(Slot.BLUE)
    pairing.add([logged(one, Slot.BLUE, mirrored=False) for one in "abc"], 101)
    pairing.add([logged("a", Slot.GREEN, mirrored=True)], 101)

    pairing.lose({"a", "b"})
    pairing.lose({"a", "b"})

    assert (sorted(pairing.waiting), pairing.lost) == (["c"], 1)
