"""The README's table of the ways of serving is made from what was measured, and nothing else of the README is touched."""

import pytest

from handbook.generated import DOCS
from handbook.serving_tables import BEGIN, END, readme

MEASURED = DOCS / "measured"


def test_what_stands_between_the_two_lines_is_made_anew_and_the_rest_stays() -> None:
    made = readme(f"# A title\n\n{BEGIN}\nwritten by hand\n{END}\n\nAnd more.\n", MEASURED)

    assert made.startswith(f"# A title\n\n{BEGIN}\n\nWhat each costs, by `labctl serving compare")
    assert made.endswith(f"{END}\n\nAnd more.\n")
    assert "written by hand" not in made
    assert "\n| switching the model, s | " in made
    assert readme(made, MEASURED) == made


def test_a_readme_without_the_two_lines_is_refused_and_not_left_as_it_is() -> None:
    with pytest.raises(ValueError, match="put these two lines where the table is to be"):
        readme(f"# A title\n{BEGIN}\n", MEASURED)
