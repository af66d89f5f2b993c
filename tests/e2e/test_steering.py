"""A word from another terminal is answered at once, and has its effect within two seconds (asserted at five times that)."""

import pytest

from tests.e2e.labctl import Labctl
from tests.e2e.steering import EFFECT_SECONDS, steered

ALLOWED = 5 * EFFECT_SECONDS


@pytest.mark.everything
def test_every_word_is_answered_and_has_its_effect_in_time(shared: Labctl) -> None:
    """The exact figures are those of `make bench`."""
    seconds = steered(shared)

    assert set(seconds) == {"status", "pause", "resume", "promote", "promote --full", "undo", "undo, later", "--supersede", "abort"}
    assert {word: took for word, took in seconds.items() if max(took) > ALLOWED} == {}
