"""The README's tables are made from what was measured, and nothing else of the README is touched."""

import pytest

from handbook.generated import DOCS
from handbook.readme import END, SECTIONS, begin, with_tables

MEASURED = DOCS / "measured"
SERVING, COMPARISON = (begin(source) for source in SECTIONS)


def test_what_stands_between_two_marks_is_made_anew_and_the_rest_stays() -> None:
    made = with_tables(f"# A title\n\n{SERVING}\nby hand\n{END}\n\nAnd:\n\n{COMPARISON}\nby hand, too\n{END}\n\nMore.\n", MEASURED)

    assert made.startswith(f"# A title\n\n{SERVING}\n\nWhat each costs, by `labctl serving compare")
    assert f"\n{END}\n\nAnd:\n\n{COMPARISON}\n\n| v2 | recreate | rolling |" in made
    assert made.endswith(f"{END}\n\nMore.\n")
    assert "by hand" not in made
    assert "\n| switching the model, s | " in made
    assert "\n| users who met something bad | " in made
    assert with_tables(made, MEASURED) == made


def test_a_readme_without_the_marks_is_refused_and_not_left_as_it_is() -> None:
    with pytest.raises(ValueError, match="put these two lines where the table is to be"):
        with_tables(f"# A title\n{SERVING}\n", MEASURED)
