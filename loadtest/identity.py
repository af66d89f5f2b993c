"""What makes users known to a server: the group that they say they belong to, and the cookies that they keep."""

from http.cookiejar import Cookie, CookieJar, DefaultCookiePolicy
from urllib.parse import urlsplit
from urllib.request import Request

from strategies.groups import in_group
from strategies.run import LoadOptions

_COOKIE = "cookie:"


class _KeepsNothing(DefaultCookiePolicy):
    """Sends what is in the jar, and puts nothing in that a server sets."""

    def set_ok(self, cookie: Cookie, request: Request) -> bool:  # noqa: ARG002  the standard library's signature
        return False


def group_headers(options: LoadOptions, user: int) -> dict[str, str]:
    """The header by which `user` (a number) tells their group with each request; empty if they do not, or do by a cookie."""
    if not _belongs(options, user) or options.group_header.startswith(_COOKIE):
        return {}
    return {options.group_header: options.group_value}


def furnish(jar: CookieJar, options: LoadOptions, user: int, url: str) -> None:
    """Make `jar` that of `user` (a number), who visits `url`: with the group's cookie if they have one, and closed if they keep none."""
    if not options.cookies:
        jar.set_policy(_KeepsNothing())
    if _belongs(options, user) and options.group_header.startswith(_COOKIE):
        jar.set_cookie(_cookie(options.group_header.removeprefix(_COOKIE), options.group_value, urlsplit(url).hostname or ""))


def _belongs(options: LoadOptions, user: int) -> bool:
    return bool(options.group_header) and in_group(user, options.group_share, options.seed)


def _cookie(name: str, value: str, host: str) -> Cookie:
    """As if `host` itself had set it for this session and all its paths."""
    return Cookie(
        version=0,
        name=name,
        value=value,
        port=None,
        port_specified=False,
        # a jar gives a host without a dot this ending, and finds it under no other name
        domain=host if "." in host else f"{host}.local",
        domain_specified=False,
        domain_initial_dot=False,
        path="/",
        path_specified=False,
        secure=False,
        expires=None,
        discard=True,
        comment=None,
        comment_url=None,
        rest={},
    )
