"""The form that every page begins with: pick a real case, change its features if you like, ask."""

from collections.abc import Sequence
from dataclasses import dataclass

import streamlit as st

from app.card import Feature
from app.pages.cases import GROUPS, HoldoutCase, group, holdout, label
from app.pages.models import artifact_models


@dataclass(frozen=True)
class Question:
    """What a visitor asks.

    Attributes:
        case: the case that was picked.
        features: its features, as the visitor has changed them.
    """

    case: HoldoutCase
    features: dict[str, float]

    @property
    def changed(self) -> list[str]:
        """The features that are not the case's own any more."""
        return [name for name, value in self.features.items() if value != self.case.features.get(name)]


def question(page: str, features: Sequence[Feature], button: str = "Predict") -> Question | None:
    """Show the form; what was asked, once the visitor presses the button or Enter.

    Args:
        page: keeps the fields of one page apart from another's.
        features: those that can be changed, with their ranges.
        button: what it is called.

    Raises:
        StoreRefused: there are no cases to pick from.
    """
    cases = holdout(artifact_models())
    number = st.selectbox(
        "A real case that training never saw",
        list(cases),
        format_func=lambda number: f"Case {number}",
        key=f"{page}-case",
        help="Type a number to find a case. The truth is told with the prediction.",
    )
    case = cases[number]
    with st.form(f"{page}-form", border=False):
        values = dict(case.features)
        with st.expander(f"Change its features ({len(features)} are used)"):
            shown = {name: [feature for feature in features if group(feature.name) == name] for name in GROUPS}
            names = [name for name, members in shown.items() if members]
            for tab, name in zip(st.tabs(names), names, strict=True):
                with tab:
                    st.caption(f"{name}: {GROUPS[name]}. Lengths are in the image's own unit.")
                    columns = st.columns(2)
                    for position, feature in enumerate(shown[name]):
                        with columns[position % 2]:
                            values[feature.name] = _field(page, case, feature)
        asked = st.form_submit_button(button, type="primary")
    return Question(case, values) if asked else None


def _field(page: str, case: HoldoutCase, feature: Feature) -> float:
    value = case.features[feature.name]
    return float(
        st.number_input(
            label(feature.name),
            # a case of the holdout may itself be an outlier
            min_value=min(feature.minimum, value),
            max_value=max(feature.maximum, value),
            value=value,
            step=max(feature.maximum / 500, 1e-6),
            format="%.6g",
            # another case has other fields, so a change never follows a visitor to the next case
            key=f"{page}-{case.number}-{feature.name}",
            help=f"from {feature.minimum:g} to {feature.maximum:g}",
        )
    )
