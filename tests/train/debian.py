"""Packages of Debian with data for tests: fetched, checked and kept, never installed."""

import hashlib
import subprocess
from pathlib import Path

ANNOUNCEMENTS = {
    "en": "2be3ea287d83299d143815fa804f11179a75b7affd4a758b98b55f5afc18a35d",
    "es": "9283a09a6d56fccdcc2bcfe86c48f0f844289cfbd46a3184d8785a6f7f569903",
    "fr": "8d4e1bc32ed5ba7fbda40841ca1825ed20cc6232724a473c90f8bb0e53e6073e",
}
"""Languages of the recordings for Asterisk (CC-BY-SA 3.0), with the SHA-256 of their packages."""
_VERSION = "1.6.1-1"


def recordings(language: str, folder: Path) -> Path:
    """The package with recorded announcements in that language, in the folder."""
    name = f"asterisk-core-sounds-{language}-wav"
    file = folder / f"{name}_{_VERSION}_all.deb"
    if not file.exists():
        _fetch(f"{name}={_VERSION}", folder)
    assert hashlib.sha256(file.read_bytes()).hexdigest() == ANNOUNCEMENTS[language]
    return file


def _fetch(package: str, folder: Path) -> None:
    """With lists of packages of its own: those of the machine may be absent, or just be written."""
    lists = folder / "lists"
    lists.mkdir(exist_ok=True)
    apt = ["apt-get", "-qq", "-o", f"Dir::State::Lists={lists}"]
    if not any(lists.glob("*Packages*")):
        subprocess.run([*apt, "update"], check=True)
    subprocess.run([*apt, "download", package], cwd=folder, check=True)
