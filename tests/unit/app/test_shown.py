"""The database that a replica shows costs its start nothing: its library comes once it is ready, and only if there is a database."""

import subprocess
import sys
from pathlib import Path

import pytest

from app.errors import BadConfiguration
from app.predictions.shown import Shown

WITHOUT = """
import sys
import app.api, app.server
from app.errors import DatabaseFailed
from app.predictions.scraping import BatchMetrics
from app.predictions.shown import Shown

for url in sys.argv[1:]:
    shown = Shown(url)
shown.prepare()
told = {sample.name: sample.value for family in BatchMetrics(shown.batches).collect() for sample in family.samples}
assert told == {"model_batch_database_up": 0}, told
try:
    shown.page(limit=1)
except DatabaseFailed as failure:
    print(failure)
assert "sqlalchemy" not in sys.modules
"""
AFTERWARDS = """
import sys
from app.predictions.shown import Shown
from tests.waiting import wait_for

shown = Shown(sys.argv[1])
assert "sqlalchemy" not in sys.modules
shown.prepare()
wait_for(lambda: "app.predictions.reading" in sys.modules, "no library", 60)
"""


def python(program: str, *arguments: str) -> str:
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_no_library_is_loaded_before_it_is_needed_and_none_where_there_is_no_database(tmp_path: Path) -> None:
    missing = tmp_path / "none.db"

    said = python(WITHOUT, "postgresql://reader:secret@database:5432/lab", f"sqlite:///{missing}")

    assert said.strip() == f"there is no database {missing}: `labctl predict batch` makes it"
    assert not missing.exists()


def test_it_is_loaded_before_anybody_asks_once_a_replica_was_found_ready(tmp_path: Path) -> None:
    (tmp_path / "some.db").touch()

    python(AFTERWARDS, f"sqlite:///{tmp_path}/some.db")


@pytest.mark.parametrize("url", ["predictions.db", "mysql://host/database", "sqlite:///"])
def test_what_is_no_database_is_refused_before_the_replica_serves(url: str) -> None:
    with pytest.raises(BadConfiguration, match="sqlite:///"):
        Shown(url)
