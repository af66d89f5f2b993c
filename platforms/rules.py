"""What both proxies are told in the same words: patterns of headers and cookies, and which requests may be copied. Pure."""

import re

from strategies.traffic import Match, Slot

SHADOW_HOST = r".*-shadow(:\d+)?"
"""The host that the proxy gives a copy, by which servers tell copies from users; a user who sends it is refused."""

STICKY_SECONDS = 86_400
"""How long a browser keeps a user's slot; it has no effect after the run that it is named after."""

COPIED_PATHS = ("/predict", "/v2/")
"""Prefixes of what only asks, though by POST: copied with all GET requests. Everything else changes something."""


def sticky_cookie(token: str) -> str:
    """The name of the cookie that keeps a user in a slot during one run."""
    return f"lab-{token}"


def set_sticky(token: str, slot: Slot) -> str:
    """The Set-Cookie header that keeps a user in `slot`."""
    return f"{sticky_cookie(token)}={slot}; Path=/; Max-Age={STICKY_SECONDS}; SameSite=Lax; HttpOnly"


def forget_sticky(token: str) -> str:
    """The Set-Cookie header that ends it."""
    return f"{sticky_cookie(token)}=; Path=/; Max-Age=0; SameSite=Lax; HttpOnly"


def cookie_pattern(name: str, value: str = "") -> str:
    """A regular expression (RE2, whole header) for a Cookie header in which `name` is `value`; any value if that is empty."""
    wanted = re.escape(value) if value else "[^;]*"
    return rf"(.*;\s*)?{re.escape(name)}={wanted}(;.*)?"


def header_of(match: Match) -> tuple[str, str]:
    """The header by which a match is told and, for a cookie, the pattern that it has to fit; else the exact value."""
    return ("cookie", cookie_pattern(match.name, match.value)) if match.cookie else (match.name, match.value)
