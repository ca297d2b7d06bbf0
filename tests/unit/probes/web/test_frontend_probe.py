"""DM-14's probe: what counts as our page, and what as an asset that loads."""

from __future__ import annotations

from types import SimpleNamespace

import pytest

from clo_ops.probes import frontend
from clo_ops.probes.exchange import Reply
from clo_ops.probes.targets import WebTarget

HTML = b"""<!doctype html><html><head><title> CLO
 System</title><link rel="stylesheet" href="/assets/app.css"><link rel=icon href="data:image/png;base64,AA">
<link rel="canonical" href="/elsewhere"><script src="/assets/app.js#x"></script>
<script src="https://cdn.invalid/lib.js"></script></head><body data-app="clo"><img src="logo.png"></body></html>"""


def page(status=200, body=b"x", content_type="text/html", **headers):
    return SimpleNamespace(status=status, body=body, content_type=content_type, headers=headers)


def expected(*assets, path="/"):
    wanted = tuple(SimpleNamespace(path=one, content_types=("text/javascript",)) for one in assets)
    return SimpleNamespace(path=path, title="CLO System", marker='data-app="clo"', assets=wanted)


def routes(**changes):
    good = {
        "/": page(body=HTML),
        "/assets/app.css": page(content_type="text/css"),
        "/assets/app.js": page(content_type="text/javascript"),
        "/logo.png": page(content_type="image/png"),
    }
    return good | changes


def loaded(answer) -> dict[str, str]:
    return {one.labels["asset"]: one.detail for one in answer.select("frontend.asset.loaded")}


def test_a_whole_page(serve):
    site = serve(routes())
    answer = frontend.frontend(site.target(), expected("/assets/app.js"))
    assert loaded(answer) == {"/assets/app.css": "", "/assets/app.js": "", "/logo.png": ""}
    assert answer.value("frontend.title.matches") == 1
    assert answer.value("frontend.marker.present") == 1
    assert answer.value("frontend.asset.count") == 3
    assert answer.value("frontend.asset.foreign.count") == 1
    assert answer.value("frontend.size") == len(HTML) + 3
    assert answer.value("frontend.load.duration") >= answer.value("frontend.page.duration") > 0
    assert sorted(one["path"] for one in site.seen) == ["/", "/assets/app.css", "/assets/app.js", "/logo.png"]


@pytest.mark.parametrize(
    ("bad", "said"),
    [
        (page(404, b"no"), "HTTP 404"),
        (page(200, b"", "text/javascript"), "empty"),
        (page(200, HTML, "text/html"), "content type is text/html"),
    ],
    ids=["missing", "empty", "the start page instead"],
)
def test_a_bad_asset_says_why(serve, bad, said):
    answer = frontend.frontend(serve(routes(**{"/assets/app.js": bad})).target(), expected())
    assert loaded(answer)["/assets/app.js"] == said
    assert loaded(answer)["/assets/app.css"] == ""


def test_what_the_policy_wants_must_be_referred_to(serve):
    answer = frontend.frontend(serve(routes()).target(), expected("/assets/app*.js", "/assets/extra.js"))
    assert loaded(answer)["/assets/extra.js"] == "the page does not refer to it"
    assert "/assets/app*.js" not in loaded(answer)


@pytest.mark.parametrize(
    ("other", "title", "marker"),
    [
        (page(body=b"<title>It works!</title><p>"), 0, 0),
        (page(body=b'<title>CLO System</title><p data-app="other">'), 1, 0),
        (page(body=HTML, content_type="text/plain"), 0, 0),
        (page(body=b""), 0, 0),
        (page(body=b"\xff\xfe<title"), 0, 0),
    ],
    ids=["default page", "no marker", "not HTML", "empty", "binary"],
)
def test_another_page_is_recognised(serve, other, title, marker):
    answer = frontend.frontend(serve(routes(**{"/": other})).target(), expected())
    assert answer.value("frontend.title.matches") == title
    assert answer.value("frontend.marker.present") == marker


def test_an_error_page_loads_nothing_more(serve):
    site = serve(routes(**{"/": page(503, HTML)}))
    answer = frontend.frontend(site.target(), expected())
    assert answer.value("frontend.page.status_code") == 503
    assert answer.value("frontend.marker.present") is None
    assert len(site.seen) == 1


def test_a_redirect_within_the_site_is_followed_and_assets_are_relative_to_its_end(serve):
    site = serve(routes(**{"/": page(301, b"", Location="/app/"), "/app/": page(body=HTML), "/app/logo.png": page()}))
    assert "/app/logo.png" in loaded(frontend.frontend(site.target(), expected()))


def test_a_base_of_the_page_is_heeded():
    html = b'<base href="/v2/"><script src="app.js"></script>'
    url = "http://clo/index.html"
    page_of = frontend.read(Reply(200, {}, html, 1.0, url))
    assert frontend.assets_of(page_of, url) == (["http://clo/v2/app.js"], 0)


def test_too_many_assets_are_said_to_be_unasked(serve):
    html = "".join(f'<img src="/{number}.png">' for number in range(frontend.MOST_ASSETS + 2)).encode()
    answer = frontend.frontend(serve({"/": page(body=html)}).target(), expected())
    assert answer.unanswered[0].question == "2 more assets"
    assert answer.value("frontend.asset.count") == frontend.MOST_ASSETS + 2


def test_stopped_is_down_and_unreachable_is_open(closed_port):
    down = frontend.frontend(WebTarget(f"http://127.0.0.1:{closed_port}"), expected())
    assert down.first("frontend.up").detail == "connection refused"
    nowhere = frontend.frontend(WebTarget("http://nobody.invalid"), expected())
    assert nowhere.measurements == ()
    assert nowhere.unanswered[0].tried == "GET http://nobody.invalid/"
