"""Changes of a version, as the index of charts is told them."""

from kubefit.generate.changes import CHANGELOG, changes

TEXT = """# Changelog

## Unreleased

### Added

- Not yet.

## 0.2.0 (2027-01-02)

### Added

- A field
  of two lines.
- Another one.

### Fixed

- A fault.

## [0.1.0] - 2026-12-01

### Added

- All.
"""


def test_a_version_has_its_changes_with_their_kinds() -> None:
    assert changes(TEXT, "0.2.0") == [
        {"kind": "added", "description": "A field of two lines."},
        {"kind": "added", "description": "Another one."},
        {"kind": "fixed", "description": "A fault."},
    ]
    assert changes(TEXT, "0.1.0") == [{"kind": "added", "description": "All."}]


def test_a_version_that_is_not_released_has_none() -> None:
    assert changes(TEXT, "0.3.0") == []


def test_the_changelog_is_read() -> None:
    kinds = {change["kind"] for change in changes(CHANGELOG.read_text(), "Unreleased")}
    assert kinds <= {"added", "changed", "deprecated", "removed", "fixed", "security"}
    assert kinds
