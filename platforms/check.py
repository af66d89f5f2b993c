"""What a doctor says about one thing that a lab needs."""

import msgspec


class Check(msgspec.Struct, frozen=True, kw_only=True):
    """One thing the lab needs.

    Attributes:
        name: what it is.
        ok: whether it will do.
        found: what is there.
        advice: what to do if it will not do; empty if it will.
    """

    name: str
    ok: bool
    found: str
    advice: str = ""


def checked(name: str, *, ok: bool, found: str, advice: str) -> Check:
    """A check whose advice is only given if it is needed."""
    return Check(name=name, ok=ok, found=found, advice="" if ok else advice)
