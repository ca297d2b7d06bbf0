"""A real browser lays a report's page out at the width of a phone and of a desk."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


def fits(page: str, tmp_path: Path) -> None:
    """Nothing hangs over the edge; wide tables scroll inside of it."""
    measure = (
        "<script>document.title = [innerWidth, document.documentElement.scrollWidth].join(' ')</script></body></html>"
    )
    frames = "".join(
        f'<iframe id="w{width}" width="{width}" height="900" src="page.html"></iframe>' for width in (360, 1280)
    )
    collect = (
        "<script>onload = () => document.title = [...document.querySelectorAll('iframe')]"
        ".map(one => one.contentDocument.title).join(' ')</script>"
    )
    (tmp_path / "page.html").write_text(page.replace("</body></html>", measure), encoding="utf-8")
    (tmp_path / "frames.html").write_text(f"<!DOCTYPE html><body>{frames}{collect}</body>", encoding="utf-8")
    seen = subprocess.run(
        [
            str(CHROMIUM), "--headless", "--no-sandbox", "--disable-gpu", "--allow-file-access-from-files",
            "--virtual-time-budget=5000", "--dump-dom", (tmp_path / "frames.html").as_uri(),
        ],
        capture_output=True, text=True, timeout=60, check=True,
    ).stdout  # fmt: skip
    found = re.search(r"<title>(\d+) (\d+) (\d+) (\d+)</title>", seen)
    assert found, seen[:300]
    phone, phone_page, desk, desk_page = map(int, found.groups())
    assert (phone, desk) == (360, 1280)
    assert phone_page <= phone
    assert desk_page <= desk
