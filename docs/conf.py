"""The site: the pages of the repository as they are, `docs/index.md` its table of contents.

The repository is the source, not this folder, so that links between pages, examples and the chart
lead to the same places here and where the repository is browsed.
"""

import re

import yaml
from sphinx.application import Sphinx

from kubefit.api.version import __version__

project = "KubeFit"
author = project
release = __version__
extensions = ["myst_parser"]
root_doc = "docs/index"
include_patterns = [
    "*.md",
    "docs/**",
    "changelog.d/README.md",
    "charts/kubefit/README.md",
    "examples/*/README.md",
]
exclude_patterns = [".*", "runs", "docs/_build"]
myst_heading_anchors = 4
# What a job shows beside YAML, such as an ellipsis, is no reason to fail.
suppress_warnings = ["misc.highlighting_failure"]
html_theme = "furo"
html_title = f"KubeFit {release}"
html_extra_path = ["_site"]
html_show_copyright = False

_SECTION = re.compile(r"^## (.*)$\n((?:(?!^## ).*\n?)*)", re.MULTILINE)
_PAGE = re.compile(r"\]\(([\w./-]+)\.md\)")
_ADRS = "docs/adr/README"


def contents(page: str) -> str:
    """The page with its lists of links as the tree of the site too, a part for each section."""
    for caption, body in _SECTION.findall(page):
        page += _tree(_PAGE.findall(body), caption=caption)
    return page


def _tree(pages: list[str], **options: object) -> str:
    head = yaml.safe_dump({**options, "hidden": True})
    return "\n```{toctree}\n---\n" + head + "---\n" + "\n".join(pages) + "\n```\n"


def _read(app: Sphinx, page: str, text: list[str]) -> None:
    if page == root_doc:
        text[0] = contents(text[0])
    elif page == _ADRS:
        text[0] += _tree(["[0-9]*"], glob=True)


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.connect("source-read", _read)
