"""How the pages look: a heading, an answer, and an error as a sentence."""

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import streamlit as st

from app.errors import AppError
from app.pages.asking import Answer
from app.pages.form import Question

CHANGED = "the case is changed in"
"""How an answer to something that no case is begins to say so."""


def heading(title: str, strategy: str) -> None:
    """A page's title and what its strategy is."""
    st.title(title)
    st.write(strategy)


@contextmanager
def sentences() -> Iterator[None]:
    """Whatever goes wrong inside is told as a sentence, and the rest of the page stays usable."""
    try:
        yield
    except AppError as exc:
        problem(exc)


def problem(exc: AppError) -> None:
    """An error, as a sentence."""
    st.error(sentence(str(exc)), icon=":material/error:")


def sentence(words: str) -> str:
    """What an error says, from its capital letter to its full stop."""
    return f"{words[:1].upper()}{words[1:]}." if not words.endswith(".") else words


def answered(question: Question, answer: Answer) -> None:
    """An answer, beside the truth where the visitor has left the case as it was."""
    _verdict(question, answer)
    st.markdown(f"Probability **{answer.probability:.1%}** · version **{answer.version}** · took **{duration(answer.seconds)}**")
    _bars(answer.probabilities)
    st.caption(f"Answered by {answer.by}.")


def _verdict(question: Question, answer: Answer) -> None:
    if question.changed:
        st.info(f"**{answer.prediction}**: {CHANGED} {', '.join(map(_plain, question.changed))}, so its truth no longer tells.")
    elif answer.prediction == question.case.truth:
        st.success(f"**{answer.prediction}**, and that is right.", icon=":material/check:")
    else:
        st.warning(f"**{answer.prediction}**, and that is wrong: the truth is {question.case.truth}.", icon=":material/close:")


def _bars(probabilities: Mapping[str, float]) -> None:
    for name, probability in probabilities.items():
        st.progress(probability, text=f"{name}: {probability:.1%}")


def _plain(feature: str) -> str:
    return feature.replace("_", " ")


def duration(seconds: float) -> str:
    """Seconds as people read them."""
    return f"{1000 * seconds:.2f} ms" if seconds < 0.1 else f"{seconds:.2f} s"
