"""What users were told, by user: which answers make an observation, and for whom it counts."""

from typing import Any

from impact.answers import Answer, answers, assigned, observations, stickiness
from impact.prediction_log import Logged
from impact.userlog import Request
from strategies.traffic import Slot

BLUE, GREEN = Slot.BLUE, Slot.GREEN


def request(number: int, user: int = 0, slot: Slot | None = BLUE, **changes: Any) -> Request:
    good = Request(100.0 + number, 100.0 + number, 0.01, user, f"r-{number}", slot, "v", 200, "", "benign", "benign")
    return good._replace(**changes)


def prediction(number: int, slot: Slot = BLUE, said: str = "benign") -> tuple[str, Logged]:
    return f"r-{number}", Logged(f"r-{number}", 100.0 + number, slot, "v", False, said, 0.9, 0.01, 200)


def test_an_answer_is_right_by_the_feedback_and_counts_for_the_slot_that_predicted() -> None:
    """Whatever the users' log says of the truth and of the slot."""
    requests = [request(0, user=1), request(1, user=2, slot=None, truth="malignant"), request(2, user=1)]
    predictions = dict([prediction(0), prediction(1, GREEN), prediction(2, said="malignant")])

    found = answers(requests, predictions, {"r-0": "benign", "r-1": "benign", "r-2": "benign"}, final=False)

    assert found == [Answer(1, BLUE, True), Answer(2, GREEN, True), Answer(1, BLUE, False)]


def test_a_failed_request_told_nothing_right_and_one_that_nobody_is_charged_with_counts_for_nobody() -> None:
    failed: dict[str, Any] = {"status": 503, "failure": "status", "predicted": ""}
    requests = [request(0, **failed), request(1, slot=None, **failed), request(2, sent=None, failure="unsent", status=0)]

    assert answers(requests, {}, {}, final=True) == [Answer(0, BLUE, False)]


def test_a_users_answers_wait_for_an_earlier_one_whose_truth_is_late_and_nobody_elses_do() -> None:
    requests = [request(0, user=1), request(1, user=1), request(2, user=2)]
    predictions = dict(prediction(number) for number in range(3))
    truths = {"r-1": "benign", "r-2": "benign"}

    assert [answer.user for answer in answers(requests, predictions, truths, final=False)] == [2]
    assert [answer.user for answer in answers(requests, predictions, truths, final=True)] == [1, 2]
    assert [answer.user for answer in answers(requests, predictions, {**truths, "r-0": "benign"}, final=False)] == [1, 1, 2]


def test_a_user_is_one_observation_of_their_first_ten_answers() -> None:
    found = [Answer(1, BLUE, number < 7) for number in range(10)] + [Answer(1, BLUE, True)] * 30

    assert observations(found[:9], final=False) == {BLUE: [], GREEN: []}
    assert observations(found[:10], final=False) == observations(found, final=True) == {BLUE: [0.7], GREEN: []}


def test_an_observation_that_has_been_made_never_changes() -> None:
    found = [Answer(number % 3, (BLUE, GREEN)[number % 2], number % 5 > 0) for number in range(90)]
    before: dict[Slot, list[float]] = {BLUE: [], GREEN: []}
    for end in range(len(found) + 1):
        now = observations(found[:end], final=False)
        assert all(now[slot][: len(before[slot])] == before[slot] for slot in Slot)
        before = now

    assert sum(map(len, before.values())) == 3


def test_users_with_fewer_answers_count_at_the_end_if_they_have_three() -> None:
    found = [Answer(1, GREEN, True), Answer(1, GREEN, False), Answer(1, GREEN, True), Answer(2, GREEN, True), Answer(2, GREEN, True)]

    assert observations(found, final=False) == {BLUE: [], GREEN: []}
    assert observations(found, final=True) == {BLUE: [], GREEN: [2 / 3]}


def test_a_user_who_wandered_counts_for_whom_they_were_given_first_and_is_told_of() -> None:
    found = [Answer(1, BLUE, False)] + [Answer(1, GREEN, True)] * 9
    requests = [request(0, user=1), request(1, user=1, slot=GREEN), request(2, user=2, slot=GREEN), request(3, user=3, slot=None)]

    assert observations(found, final=False) == {BLUE: [0.9], GREEN: []}
    assert assigned(requests) == {1: BLUE, 2: GREEN}
    assert stickiness(requests) == (2, 1)
