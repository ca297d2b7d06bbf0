"""Ask the frontend (DM-14, manual L35): does the page come, with its marker, and every asset it refers to.

A frontend whose server answers any path with its start page would "have" every asset: the content type tells.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from datetime import UTC, datetime
from fnmatch import fnmatch
from html.parser import HTMLParser
from pathlib import PurePosixPath
from typing import Protocol
from urllib.parse import urljoin, urlsplit

from clo_ops.findings import Answer, Measurement, Unanswered
from clo_ops.probes.exchange import KIB, Browser, NoReply, Reply, origin
from clo_ops.probes.reaching import nobody_answered
from clo_ops.probes.targets import WebTarget

PAGE_LIMIT = 8 * 1024 * KIB  # one page or asset; a larger one is broken, and must not fill the worker's memory
MOST_ASSETS = 60
AT_ONCE = 6  # what browsers open to one origin
LOADED = {"script": "src", "img": "src", "source": "src"}
LOADING_LINKS = {"stylesheet", "icon", "modulepreload", "preload", "manifest", "apple-touch-icon"}
TYPES = {
    ".css": ("text/css",),
    ".js": ("text/javascript", "application/javascript", "application/x-javascript"),
    ".mjs": ("text/javascript", "application/javascript"),
    ".svg": ("image/svg+xml",),
    ".json": ("application/json",),
    ".webmanifest": ("application/manifest+json", "application/json"),
}
IMAGES = (".png", ".jpg", ".jpeg", ".gif", ".ico", ".webp", ".avif")
PAGE_TYPES = ("text/html", "application/xhtml+xml")


class Required(Protocol):
    """An asset the page must refer to: its path, or a pattern of it (``/assets/app*.js``), and its content types."""

    @property
    def path(self) -> str: ...
    @property
    def content_types(self) -> Sequence[str]: ...


class FrontendPage(Protocol):
    """What the policy says of the frontend."""

    @property
    def path(self) -> str: ...
    @property
    def title(self) -> str: ...
    @property
    def marker(self) -> str: ...
    @property
    def assets(self) -> Sequence[Required]: ...


class Page(HTMLParser):
    """The title of a page and the references a browser loads without being asked."""

    def __init__(self) -> None:
        super().__init__(convert_charrefs=True)
        self.title = ""
        self.base = ""
        self.references: list[str] = []
        self._in_title = False

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        self._in_title = tag == "title" and not self.title
        if tag == "base" and not self.base:
            self.base = given.get("href", "")
        if tag == "link" and LOADING_LINKS & set(given.get("rel", "").lower().split()):
            self._refer(given.get("href", ""))
        if tag in LOADED:
            self._refer(given.get(LOADED[tag], ""))

    def handle_endtag(self, tag: str) -> None:
        if tag == "title":
            self._in_title = False

    def handle_data(self, data: str) -> None:
        if self._in_title:
            self.title += data

    def _refer(self, reference: str) -> None:
        if reference.strip():
            self.references.append(reference.strip())


def read(reply: Reply) -> Page:
    """Parse a page as far as it goes; broken HTML is what browsers get too."""
    page = Page()
    page.feed(reply.text())
    page.close()
    return page


def assets_of(page: Page, url: str) -> tuple[list[str], int]:
    """Absolute URLs of the same-origin assets, in order and once each; and how many live elsewhere (not asked)."""
    whole = [urljoin(urljoin(url, page.base), reference).partition("#")[0] for reference in page.references]
    fetched = [one for one in dict.fromkeys(whole) if urlsplit(one).scheme in ("http", "https")]
    own = [one for one in fetched if origin(one) == origin(url)]
    return own, len(fetched) - len(own)


def frontend(target: WebTarget, expected: FrontendPage) -> Answer:
    """Load the page and its assets as a browser does. Times in ms, sizes in bytes.

    Emits frontend.up, frontend.page.status_code, frontend.page.duration, frontend.title.matches,
    frontend.marker.present, frontend.asset.loaded {asset}, frontend.asset.count, frontend.asset.foreign.count,
    frontend.size and frontend.load.duration.
    """
    with Browser(target, body_limit=PAGE_LIMIT) as browser:
        started = time.monotonic()
        reply = browser.ask("GET", expected.path, redirects=5)
        if isinstance(reply, NoReply):
            return _no_page(browser, expected, reply)
        answer = Answer(tuple(_page(reply, expected)))
        if reply.status != 200:
            return answer
        return answer + _assets(browser, reply, expected, started)


def _no_page(browser: Browser, expected: FrontendPage, reply: NoReply) -> Answer:
    if reply.answered:
        return Answer((_bool("frontend.up", False, reply.reason),))
    return nobody_answered(["frontend page"], browser.target, f"GET {browser.url(expected.path)}", reply.reason)


def _bool(name: str, value: bool, detail: str = "", **labels: str) -> Measurement:
    return Measurement(name, value, "bool", datetime.now(UTC), labels, detail)


def _page(reply: Reply, expected: FrontendPage) -> list[Measurement]:
    now = datetime.now(UTC)
    found = [
        _bool("frontend.up", True),
        Measurement("frontend.page.status_code", reply.status, "count", now, detail=reply.content_type()),
        Measurement("frontend.page.duration", reply.ms, "ms", now),
    ]
    if reply.status == 200:
        found += _recognised(reply, expected)
    return found


def _recognised(reply: Reply, expected: FrontendPage) -> list[Measurement]:
    """Whether this is the page we know, rather than somebody's error page with status 200."""
    page = reply.content_type() in PAGE_TYPES
    seen = f"{reply.content_type() or 'no content type'}, {len(reply.body)} bytes"
    title = " ".join(read(reply).title.split())
    return [
        _bool("frontend.title.matches", page and title == expected.title, f"title is {title[:80]!r}"),
        _bool("frontend.marker.present", page and expected.marker in reply.text(), seen),
    ]


def _assets(browser: Browser, page: Reply, expected: FrontendPage, started: float) -> Answer:
    own, foreign = assets_of(read(page), page.url)
    asked = own[:MOST_ASSETS]
    replies = browser.ask_all(asked, at_once=AT_ONCE)
    spent = (time.monotonic() - started) * 1000
    size = len(page.body) + sum(len(one.body) for one in replies if isinstance(one, Reply))
    now = datetime.now(UTC)
    whole = (
        Measurement("frontend.asset.count", len(own), "count", now),
        Measurement("frontend.asset.foreign.count", foreign, "count", now),
        Measurement("frontend.size", size, "bytes", now),
        Measurement("frontend.load.duration", spent, "ms", now, detail=f"page and {len(asked)} assets"),
    )
    loaded = tuple(_asset(url, reply, expected.assets) for url, reply in zip(asked, replies, strict=True))
    return Answer(whole + loaded + _unreferenced(own, expected.assets), _not_asked(browser, own))


def _asset(url: str, reply: Reply | NoReply, required: Sequence[Required]) -> Measurement:
    path = urlsplit(url).path
    named = next((one for one in required if fnmatch(path, one.path)), None)
    wrong = what_is_wrong(reply) or _wrong_type(path, reply, named)
    return _bool("frontend.asset.loaded", not wrong, wrong, asset=path)


def what_is_wrong(reply: Reply | NoReply) -> str:
    """Why an asset is no good whatever it is, or nothing."""
    if isinstance(reply, NoReply):
        return reply.reason
    if reply.status != 200:
        return f"HTTP {reply.status}"
    if not reply.body:
        return "empty"
    return f"larger than {PAGE_LIMIT} bytes" if reply.truncated else ""


def _wrong_type(path: str, reply: Reply | NoReply, named: Required | None) -> str:
    """What the policy names comes as the policy says; what has a known ending as that; the rest as no page."""
    content_type = reply.content_type() if isinstance(reply, Reply) else ""
    ending = PurePosixPath(path).suffix.lower()
    if named is not None or ending in TYPES:
        right = content_type in (named.content_types if named is not None else TYPES[ending])
    elif ending in IMAGES:
        right = content_type.startswith("image/")
    else:
        right = content_type not in PAGE_TYPES
    return "" if right else f"content type is {content_type or 'missing'}"


def _unreferenced(own: Sequence[str], required: Sequence[Required]) -> tuple[Measurement, ...]:
    paths = [urlsplit(url).path for url in own]
    missing = [one.path for one in required if not any(fnmatch(path, one.path) for path in paths)]
    return tuple(_bool("frontend.asset.loaded", False, "the page does not refer to it", asset=path) for path in missing)


def _not_asked(browser: Browser, own: Sequence[str]) -> tuple[Unanswered, ...]:
    left = len(own) - MOST_ASSETS
    if left <= 0:
        return ()
    reason = f"the page refers to {len(own)} assets; the first {MOST_ASSETS} were asked"
    return nobody_answered([f"{left} more assets"], browser.target, f"GET of {MOST_ASSETS} assets", reason).unanswered
