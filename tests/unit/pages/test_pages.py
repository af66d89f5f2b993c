"""Each page, as its visitors use it: who answers, what a new model takes, and what is said when something is down."""

from collections.abc import Callable
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.artifact import build, read
from app.errors import StoreRefused
from app.pages import main, start
from tests.unit.app.replica import Replica
from tests.unit.app.s3_server import S3Server
from tests.unit.pages.conftest import SECONDS, Opener, click, forget, run, said

pytestmark = pytest.mark.usefixtures("nothing_left_running")


def test_the_embedded_page_tells_its_artifact_and_predicts_with_the_model_inside(opened: Opener, artifact: Path) -> None:
    page = click(opened("embedded"), "Predict")

    assert read(artifact).name in said(page)
    assert "version **v1**" in said(page)
    assert "that is right" in said(page)


def test_a_new_model_is_a_new_artifact(opened: Opener, artifact: Path, store: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    new = build(store, "v2", artifact.parent)
    monkeypatch.setenv("MODEL_PAGES_ARTIFACT", str(new))
    forget()

    page = click(opened("embedded"), "Predict")

    assert new.name != artifact.name
    assert new.name in said(page)
    assert "version **v2**" in said(page)


def test_the_same_model_and_code_are_the_same_artifact_and_a_changed_byte_is_refused(store: Path, tmp_path: Path) -> None:
    first = build(store, "v1", tmp_path)

    assert build(store, "v1", tmp_path) == first
    (first / "app" / "model.py").write_text("# exchanged\n")
    with pytest.raises(StoreRefused, match="sha256 differs"):
        read(first)


def test_a_changed_feature_reaches_the_model_and_the_truth_is_no_longer_told(opened: Opener) -> None:
    page = opened("embedded")
    before = said(click(page, "Predict"))
    page.number_input(key=f"embedded-{page.selectbox[0].value}-mean_radius").set_value(28.0)

    after = said(click(page, "Predict"))

    assert "the case is changed in mean radius" in after
    assert "the truth no longer" not in before
    assert before != after


def test_the_data_page_serves_what_the_file_names_and_a_restart_applies_a_change(opened: Opener, store: Path, tmp_path: Path) -> None:
    config = tmp_path / "model.toml"
    run("app.stores", "use", "v1", "--config", str(config), "--from", str(store))
    assert "version **v1**" in said(click(opened("as_data"), "Predict"))

    run("app.stores", "use", "v2", "--config", str(config), "--from", str(store))
    assert "names **v2** by now: restart the pages" in said(opened("as_data"))
    forget()

    assert "version **v2**" in said(click(opened("as_data"), "Predict"))


def test_without_a_choice_the_data_page_says_what_to_do(opened: Opener) -> None:
    assert "`labctl model use VERSION` writes it" in opened("as_data").error[0].value


def test_the_service_page_shows_who_serves_now_and_a_sentence_while_nobody_does(opened: Opener, service: Callable[..., Replica]) -> None:
    first = service("v1")
    page = opened("service")
    assert "version **v1**" in said(click(page, "Predict"))

    first.end()
    assert "No service answers" in click(page, "Ask the service again").error[0].value

    service("v2", first.url.rpartition(":")[2])
    page = click(page, "Ask the service again")
    assert not page.error
    assert "version **v2**" in said(click(page, "Predict"))


def test_the_database_page_finds_the_newest_prediction_of_a_case_and_lists_all(opened: Opener, store: Path, tmp_path: Path) -> None:
    def predict(version: str) -> None:
        database = f"sqlite:///{tmp_path}/predictions.db"
        run("app.batch", str(store / "holdout.csv"), "--store", str(store), "--version", version, "--database", database)

    page = opened("in_database")
    assert "check that it is up" in page.error[0].value

    predict("v1")
    page = click(page, "Look again")
    assert not page.error
    assert "version **v1**" in said(click(page, "Look it up"))
    predict("v2")
    assert "version **v2**" in said(click(page, "Look it up"))

    assert set(page.dataframe[0].value["version"]) == {"v2"}
    page.text_input[0].set_value("v1")
    assert set(page.run().dataframe[0].value["version"]) == {"v1"}
    first = list(page.dataframe[0].value["row"])
    assert set(first).isdisjoint(click(page, "Older").dataframe[0].value["row"])
    (tmp_path / "predictions.db").rename(tmp_path / "elsewhere.db")
    forget()
    assert "check that it is up" in click(page, "Look again").error[0].value


def test_two_versions_answer_the_same_case_and_one_that_fails_hides_no_other(opened: Opener) -> None:
    page = opened("side_by_side")
    assert "version **v1**" in said(click(page, "Ask both"))
    assert "version **v2**" in said(page)

    page.selectbox[1].select("v2-broken")
    page.run()
    for case in page.selectbox[2].options[:40]:
        page.selectbox[2].select(int(case.split()[1]))
        page.run()
        click(page, "Ask both")
        if page.error:
            break

    assert "v2-broken failed on an input" in page.error[0].value.lower()
    assert "version **v1**" in said(page)


def test_a_version_whose_card_is_damaged_is_told_and_the_others_answer(
    opened: Opener, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    published = tmp_path / "published"
    for version in ("v1", "v2"):
        run("app.stores", "publish", version, "--from", str(store), "--store", str(published))
    (published / "v3").mkdir()
    (published / "v3" / "model.json").write_text('{"name": "half a ca')

    for where in (str(published), f"file://{published}"):
        monkeypatch.setenv("MODEL_PAGES_STORE", where)
        forget()
        page = click(opened("side_by_side"), "Ask both")

        assert page.selectbox[0].options == ["v1", "v2"]
        assert "v3/model.json is no model card" in page.warning[0].value
        assert {"version **v1**", "version **v2**"} <= set(said(page).split(" · "))


def test_the_first_page_leads_to_every_other_and_says_what_each_is(opened: Opener) -> None:
    page = AppTest.from_file(str(Path(main.__file__)), default_timeout=SECONDS).run()

    assert not page.exception
    assert "How a model is served" in page.title[0].value
    assert [one.value for one in page.caption] == list(start.SENTENCES.values())


@pytest.mark.everything
def test_an_s3_store_that_is_killed_during_use_is_missed_by_a_start_alone(
    opened: Opener, store: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    config = tmp_path / "model.toml"
    with S3Server(tmp_path) as server:
        server.new_bucket("s3://models", monkeypatch)
        run("app.stores", "publish", "v1", "--from", str(store), "--store", "s3://models")
        run("app.stores", "use", "v1", "--config", str(config), "--store", "s3://models", "--from", str(store))
        page = opened("as_data")
        assert "version **v1**" in said(click(page, "Predict"))

    assert "version **v1**" in said(click(page, "Predict"))
    forget()

    assert "The store s3://models cannot be used" in opened("as_data").error[0].value
