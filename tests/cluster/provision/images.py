"""Builds the project's images without an image registry and loads them into containerd."""

import configparser
import hashlib
import os
import subprocess
from pathlib import Path

import binaries
from places import (
    CACHE,
    CONTAINERD_SOCKET,
    OPERATOR_IMAGE,
    PAUSE_IMAGE,
    REPOSITORY,
    RUN,
    STATE,
    TRAINER_IMAGE,
)

BASE = "docker.io/library/python:3.11-slim-bookworm"
"""The Dockerfile's base image; here it is Debian's own Python under that name."""
TARGETS = {OPERATOR_IMAGE: "operator", TRAINER_IMAGE: "trainer"}
_PACKAGES = "python3,python3-venv,python3-pip,ca-certificates,tini,tar"
_CERTIFICATES = "/etc/ssl/certs/ca-certificates.crt"
_ARCHIVES = CACHE / "images"
_INPUTS = (
    "Dockerfile",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "requirements",
    "operator",
    "trainer",
)


def build() -> None:
    """Builds both images where the sources changed since the last time."""
    _base()
    for image, target in TARGETS.items():
        key, archive = _digest(target), _archive(target)
        if archive.exists() and _key(archive).read_text() == key:
            continue
        print(f"building {image}", flush=True)
        _buildah("bud", "--isolation", "chroot", "--pull-never", "--layers", "--target", target,
                 *_package_index_settings(), "--tag", image, REPOSITORY)  # fmt: skip
        _export(image, archive)
        _key(archive).write_text(key)


def load() -> None:
    """Loads pause, operator and trainer into the node unless the node has those very images."""
    for image in (PAUSE_IMAGE, *TARGETS):
        archive = _pause() if image == PAUSE_IMAGE else _archive(TARGETS[image])
        if not archive.exists():
            continue
        key = _key(archive).read_text() if _key(archive).exists() else ""
        loaded = STATE / "images" / archive.name
        if loaded.exists() and loaded.read_text() == key:
            continue
        print(f"loading {image}", flush=True)
        ctr = ["ctr", "--address", str(CONTAINERD_SOCKET), "--namespace", "k8s.io"]
        subprocess.run([*ctr, "images", "import", archive], check=True, stdout=subprocess.DEVNULL)
        loaded.parent.mkdir(parents=True, exist_ok=True)
        loaded.write_text(key)


def _base() -> None:
    if not _buildah("images", "--quiet", "--filter", f"reference={BASE}").strip():
        root = CACHE / "base.tar"
        print("making the base image", flush=True)
        subprocess.run(
            [
                "mmdebstrap",
                "--quiet",
                "--variant=minbase",
                f"--include={_PACKAGES}",
                "bookworm",
                root,
            ],
            check=True,
        )
        _commit(
            BASE,
            root,
            "/",
            "--env",
            "PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin",
        )
        root.unlink()


def _pause() -> Path:
    """The image that holds a pod's namespaces; also its archive."""
    archive = _ARCHIVES / "pause-1.tar"
    if not archive.exists():
        _commit(PAUSE_IMAGE, binaries.path("pause"), "/pause", "--entrypoint", '["/pause"]')
        _export(PAUSE_IMAGE, archive)
    return archive


def _commit(image: str, content: Path, target: str, *settings: str) -> None:
    container = _buildah("from", "scratch").strip()
    _buildah("add", container, content, target)
    _buildah("config", *settings, container)
    _buildah("commit", "--rm", container, image)


def _export(image: str, archive: Path) -> None:
    archive.parent.mkdir(parents=True, exist_ok=True)
    unfinished = archive.with_suffix(".unfinished")
    unfinished.unlink(missing_ok=True)
    _buildah("push", image, f"docker-archive:{unfinished}:{image}")
    unfinished.rename(archive)


def _archive(target: str) -> Path:
    return _ARCHIVES / f"{target}.tar"


def _key(archive: Path) -> Path:
    """Beside an archive: the digest of what it was built from."""
    return archive.with_suffix(".key")


def _digest(target: str) -> str:
    """Hash of all that goes into an image."""
    found = hashlib.sha256(target.encode())
    for name in _INPUTS:
        path = REPOSITORY / name
        files = [path] if path.is_file() else sorted(path.rglob("*"))
        for file in files:
            if file.is_file() and "__pycache__" not in file.parts:
                found.update(f"{file.relative_to(REPOSITORY)}\0".encode() + file.read_bytes())
    return found.hexdigest()[:16]


def _package_index_settings() -> list[str]:
    """The Dockerfile's secrets: this machine's CAs, and its settings of pip with those named."""
    settings = configparser.RawConfigParser()
    settings.read("/etc/pip.conf")
    settings.read_dict({"global": {"cert": "/run/secrets/ca"}})
    file = CACHE / "pip.conf"
    with file.open("w") as target:
        settings.write(target)
    return ["--secret", f"id=ca,src={_CERTIFICATES}", "--secret", f"id=pip,src={file}"]


def _buildah(*arguments: object) -> str:
    command = [
        "buildah",
        "--root",
        CACHE / "buildah",
        "--runroot",
        RUN.with_name("kubefit-buildah"),
    ]
    done = subprocess.run(
        [str(part) for part in (*command, *arguments)],
        capture_output=True,
        text=True,
        env=os.environ | {"BUILDAH_FORMAT": "docker"},
    )
    if done.returncode:
        last = "\n".join((done.stdout + done.stderr).splitlines()[-30:])
        raise SystemExit(f"buildah {arguments[0]} failed:\n{last}")
    return done.stdout
