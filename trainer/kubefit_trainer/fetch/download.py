"""One source to one place: what is there already is kept, what is half done is finished."""

import hashlib
import shutil
import socket
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from kubefit_trainer.fetch.faults import FetchError
from kubefit_trainer.fetch.place import Place, Record
from kubefit_trainer.fetch.sources import Listing, Remote, Source

_AT_ONCE = 8
_TELL_EVERY = 1000
"""Files."""
_CONTENT = "content"
_PARTS = f"parts-{socket.gethostname()}"
"""Files that are not complete; apart from the content, of which a killed one shall be no part.

A pod keeps its name when it is started again, and so finds what it left. Those of other pods stay:
on a volume whose locks hold for one node only they may be at work.
"""


def bring(source: Source, place: Place, *, tell: Callable[[str], None]) -> None:
    """Fetches the source unless the place holds it.

    Raises:
        FetchError: something is wrong that another try does not mend.
        Exception: whatever the client of the store raises.

    """
    wanted, held = source.fetch, place.record()
    if held is not None:
        _check_same(source, place, held)
        if wanted.sha256 is not None and held.sha256 == wanted.sha256:
            tell(f"{place.path} holds {source.name} with that sha256")
            return
    listing = source.list()
    _check_kind(source, listing)
    if held is not None and held.version and held.version == listing.version:
        if wanted.sha256 is None:
            tell(f"{place.path} holds {source.name} as it is now")
            return
        raise _other_content(source, str(held.sha256))
    version = listing.version or wanted.sha256 or uuid.uuid4().hex
    staging = place.staging(version)
    shutil.rmtree(staging / _PARTS, ignore_errors=True)
    (staging / _PARTS).mkdir(exist_ok=True)
    _check_room(source, place, listing, staging / _CONTENT)
    tell(f"fetches {source.name}: {_count(listing)}, {_bytes(listing.size)}")
    content = staging / _CONTENT
    _get_all(source, listing, staging, tell=tell)
    checksum = _checksum(content) if listing.is_file else None
    if wanted.sha256 is not None and checksum != wanted.sha256:
        shutil.rmtree(staging)
        raise _other_content(source, str(checksum))
    record = Record(
        source=source.name,
        endpoint=wanted.endpoint,
        version=listing.version,
        sha256=checksum,
        files=len(listing.files),
    )
    place.put(content, record)
    shutil.rmtree(staging, ignore_errors=True)
    tell(f"{place.path} holds {source.name} now")


def _check_same(source: Source, place: Place, held: Record) -> None:
    """Another job may read what lies there, and would go on with other data."""
    if (held.source, held.endpoint) == (source.name, source.fetch.endpoint):
        return
    held_there = held.source
    if held.endpoint != source.fetch.endpoint:
        held_there += f" of {held.endpoint}" if held.endpoint else " without an endpoint"
    raise FetchError(
        f"{source.field}.to: {place.path} holds {held_there}; choose another place or remove it"
    )


def _check_kind(source: Source, listing: Listing) -> None:
    if source.fetch.sha256 is not None and not listing.is_file:
        raise FetchError(
            f"{source.field}.sha256: {source.name} is a folder of {_count(listing)}, and a checksum"
            " is that of one file; leave it out"
        )


def _other_content(source: Source, found: str) -> FetchError:
    return FetchError(
        f"{source.field}.sha256: {source.name} has {found}, not {source.fetch.sha256}; it is"
        " another file than the one meant"
    )


def _check_room(source: Source, place: Place, listing: Listing, content: Path) -> None:
    files = (file for file in (content, *content.rglob("*")) if file.is_file())
    there = sum(file.stat().st_size for file in files)
    free = shutil.disk_usage(place.volume).free
    if listing.size - there > free:
        raise FetchError(
            f"{source.field}.to: {source.name} has {_bytes(listing.size)}, but the job's volume has"
            f" {_bytes(free)} left; enlarge it or fetch less"
        )


def _get_all(
    source: Source, listing: Listing, staging: Path, *, tell: Callable[[str], None]
) -> None:
    content, parts = staging / _CONTENT, staging / _PARTS
    targets = {content / name if name else content: r for name, r in listing.files.items()}
    for folder in {target.parent for target in targets}:
        folder.mkdir(parents=True, exist_ok=True)
    missing = {target: remote for target, remote in targets.items() if not target.exists()}
    if len(missing) < len(targets):
        tell(f"goes on: {len(targets) - len(missing)} of {len(targets)} files are there")
    with ThreadPoolExecutor(_AT_ONCE) as pool:
        done = pool.map(lambda item: _get(source, item[1], item[0], parts), missing.items())
        for number, _ in enumerate(done, start=1):
            if number % _TELL_EVERY == 0:
                tell(f"{number} of {len(missing)} files")


def _get(source: Source, remote: Remote, target: Path, parts: Path) -> None:
    part = parts / uuid.uuid4().hex
    try:
        source.get(remote, part)
        found = part.stat().st_size
        if remote.size is not None and found != remote.size:
            raise OSError(f"{remote.path} came with {found} of {remote.size} bytes")
        part.replace(target)
    finally:
        part.unlink(missing_ok=True)


def _checksum(file: Path) -> str:
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def _count(listing: Listing) -> str:
    count = len(listing.files)
    return "1 file" if count == 1 else f"{count} files"


def _bytes(size: float) -> str:
    for unit in ("bytes", "kB", "MB", "GB"):
        if size < 1000:
            return f"{size:.3g} {unit}"
        size /= 1000
    return f"{size:.3g} TB"
