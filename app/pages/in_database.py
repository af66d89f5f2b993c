"""The page of predictions in a database: it has no model and asks none, but shows what a batch has written beforehand."""

from datetime import datetime

import streamlit as st
from sqlalchemy import Engine

from app.pages.cases import HoldoutCase, holdout
from app.pages.configuration import Configuration
from app.pages.looking_up import Found, newest
from app.pages.models import artifact_models
from app.pages.showing import duration, heading, sentences
from app.predictions.database import open_database
from app.predictions.reading import page as read_page
from app.publishing import HOLDOUT_FILE

ROWS = 20
ALL = "all"


@st.cache_resource
def connected(url: str) -> Engine:
    """The database, whose connections all visitors share; it connects when it is first asked."""
    return open_database(url, writes=False)


def page() -> None:
    """Show it."""
    heading(
        "Predictions in a database",
        "A batch predicts everything beforehand and writes it into a database; to answer is to look it up. Nothing is computed while "
        "somebody waits, but only what a batch has seen can be answered, and the answer is as old as the batch.",
    )
    with sentences():
        engine = connected(Configuration.from_environment().database)
        _one_case(engine)
        st.subheader("History")
        _history(engine)
    st.button("Look again", help="After an error, or after a batch")


def _one_case(engine: Engine) -> None:
    cases = holdout(artifact_models())
    with st.form("database-form", border=False):
        number = st.selectbox(
            "A real case that training never saw",
            list(cases),
            format_func=lambda number: f"Case {number}",
            help="Its features cannot be changed here: no batch would have predicted the changed case.",
        )
        asked = st.form_submit_button("Look it up", type="primary")
    if asked:
        with sentences():
            _told(cases[number], newest(engine, artifact_models() / HOLDOUT_FILE, list(cases).index(number)))


def _told(case: HoldoutCase, found: Found) -> None:
    answer = found.prediction
    if answer.refusal:
        st.warning(f"The batch could not predict this case: {answer.refusal}.")
    elif answer.prediction == case.truth:
        st.success(f"**{answer.prediction}**, and that is right.", icon=":material/check:")
    else:
        st.warning(f"**{answer.prediction}**, and that is wrong: the truth is {case.truth}.", icon=":material/close:")
    probability = "" if answer.probability is None else f"Probability **{answer.probability:.1%}** · "
    st.markdown(f"{probability}version **{answer.version}** · took **{duration(found.seconds)}** to find")
    st.caption(f"Answered by the database: a batch predicted it at {_clock(answer.predicted_at)}.")


def _history(engine: Engine) -> None:
    with st.container(horizontal=True):
        version = st.text_input("Version", placeholder=ALL, help="Only predictions of this version; leave it empty for all.")
        prediction = st.selectbox("Prediction", [ALL, "benign", "malignant"])
    wanted = (version, prediction)
    if st.session_state.get("history-wanted") != wanted:
        # another filter begins at its first page
        st.session_state["history-wanted"], st.session_state["history-cursor"] = wanted, None
    found = read_page(
        engine,
        limit=ROWS,
        cursor=st.session_state["history-cursor"],
        version=version or None,
        prediction=None if prediction == ALL else prediction,
    )
    if not found.predictions:
        st.info("There are no such predictions.")
        return
    st.dataframe(
        [
            {
                "predicted at": _clock(one.predicted_at),
                "version": one.version,
                "row": one.row,
                "prediction": one.prediction or "refused",
                "probability": "" if one.probability is None else f"{one.probability:.1%}",
                "file": one.input_digest[:12],
            }
            for one in found.predictions
        ],
        hide_index=True,
    )
    with st.container(horizontal=True):
        st.button("Newest", on_click=_turn_to, args=(None,), disabled=st.session_state["history-cursor"] is None)
        st.button("Older", on_click=_turn_to, args=(found.next_cursor,), disabled=found.next_cursor is None)


def _turn_to(cursor: int | None) -> None:
    st.session_state["history-cursor"] = cursor


def _clock(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d %H:%M:%S} UTC"
