"""The site is built of the pages without a warning, and its links lead somewhere in it."""

import re
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote

import pytest

ROOT = Path(__file__).parents[2]
_HREF = re.compile(r'<a [^>]*href="([^"]+)"')
_ID = re.compile(r'\bid="([^"]+)"')
_FOREIGN = re.compile(r"[a-z]+:")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The site, made as `make docs` makes it."""
    built = tmp_path_factory.mktemp("site")
    command = [sys.executable, "-m", "sphinx", "--quiet", "--fail-on-warning", "--keep-going"]
    places = ["-c", str(ROOT / "docs"), "-d", str(built / "doctrees"), str(ROOT)]
    done = subprocess.run(
        [*command, *places, str(built / "html")], capture_output=True, text=True, cwd=ROOT
    )
    assert done.returncode == 0, done.stderr
    return built / "html"


def _ids(page: Path) -> set[str]:
    return set(_ID.findall(page.read_text()))


def test_the_first_page_leads_to_the_contents(site: Path) -> None:
    (target,) = re.findall(r"url=([^\"]+)", (site / "index.html").read_text())
    assert "KubeFit" in (site / target).read_text()


def test_every_page_of_the_documentation_is_in_the_site(site: Path) -> None:
    pages = [page.relative_to(ROOT) for page in ROOT.glob("docs/**/*.md")]
    assert pages
    for page in pages:
        assert (site / page).with_suffix(".html").is_file(), page


def test_every_link_within_the_site_leads_somewhere(site: Path) -> None:
    known: dict[Path, set[str]] = {}
    for page in site.rglob("*.html"):
        for link in _HREF.findall(page.read_text()):
            target, _, anchor = unquote(link).partition("#")
            if _FOREIGN.match(target):
                continue
            file = (page.parent / target).resolve() if target else page
            at = f"{link} of {page.relative_to(site)}"
            assert file.is_file(), at
            if anchor and file.suffix == ".html":
                ids = known.setdefault(file, _ids(file))
                assert anchor in ids, at
