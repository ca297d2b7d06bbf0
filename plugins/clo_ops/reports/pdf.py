"""A report as PDF, by WeasyPrint; where the system lacks what it draws with, the reason, never a crash."""

from __future__ import annotations

import logging
from hashlib import sha256
from typing import Any

from clo_ops.findings import CloOpsError

PACKAGES = "libpango-1.0-0 libpangoft2-1.0-0 libharfbuzz-subset0"


class PdfMissing(CloOpsError):
    """There is no PDF, and the sentence says why and how to get one."""


def as_pdf(html: str) -> bytes:
    """The page as PDF: the same bytes for the same page. Raises PdfMissing.

    Nothing is fetched: a report is self-contained, and one that is not must not reach out from a worker.
    """
    identifier = sha256(html.encode()).digest()[:16]
    drawn: bytes = _page_maker()(string=html, url_fetcher=_nothing_fetched).write_pdf(pdf_identifier=identifier)
    return drawn


def _page_maker() -> Any:
    try:
        # Its advice on CSS is for who writes the template, not for who reads a task's log.
        logging.getLogger("weasyprint").setLevel(logging.ERROR)
        logging.getLogger("fontTools").setLevel(logging.ERROR)
        from weasyprint import HTML  # type: ignore[import-untyped]
    except (ImportError, OSError) as error:
        said = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise PdfMissing(
            f"the PDF was not made: {said}",
            allowed="WeasyPrint and the system's pango",
            next_step=f"Debian and Ubuntu: apt-get install {PACKAGES}; the HTML report is complete without it",
        ) from error
    return HTML


def _nothing_fetched(url: str, *_: object, **__: object) -> dict[str, object]:
    raise ValueError(f"a report fetches nothing, it asked for {url[:80]}")
