from __future__ import annotations

import sys
from concurrent.futures import ThreadPoolExecutor

import pytest

from clo_ops import later

SOURCE = """
import time
began = True
time.sleep(0.1)
def answer():
    return 42
"""


def page(name):
    """As ``from some_package_of_pages import name`` does it."""
    found = {}
    exec(f"from some_package_of_pages import {name}", found)  # noqa: S102 - a package of this test
    return found[name]


@pytest.fixture
def package(tmp_path, monkeypatch):
    place = tmp_path / "some_package_of_pages"
    place.mkdir()
    (place / "__init__.py").write_text("from clo_ops import later\n__getattr__ = later.submodules(__name__)\n")
    (place / "work.py").write_text(SOURCE)
    monkeypatch.syspath_prepend(str(tmp_path))
    yield
    for name in [name for name in sys.modules if name.startswith("some_package_of_pages")]:
        del sys.modules[name]


def test_a_module_is_imported_when_something_of_it_is_used(package):
    work = page("work")

    assert "some_package_of_pages.work" not in sys.modules
    assert work.answer() == 42
    assert "some_package_of_pages.work" in sys.modules
    assert "answer" in dir(work)


def test_threads_that_use_it_at_once_see_a_whole_module(package):
    work = page("work")

    with ThreadPoolExecutor(8) as threads:
        assert list(threads.map(lambda _: work.answer(), range(8))) == [42] * 8


def test_what_is_changed_is_the_module_itself(package, monkeypatch):
    work = page("work")

    monkeypatch.setattr(work, "answer", lambda: 7)
    assert sys.modules["some_package_of_pages.work"].answer() == 7
    work.more = 1
    del work.more
    assert not hasattr(sys.modules["some_package_of_pages.work"], "more")


def test_a_name_that_is_no_module_is_refused_where_it_is_imported(package):
    with pytest.raises(ImportError, match="nowhere"):
        page("nowhere")


def test_one_that_is_there_already_is_taken_as_it_is():
    import clo_ops.rules.figures

    assert later.submodules("clo_ops.rules")("figures") is clo_ops.rules.figures
