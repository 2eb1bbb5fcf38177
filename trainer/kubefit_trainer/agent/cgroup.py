"""What the kernel's control groups allow this process, and whether they killed in it.

Reads both versions of the hierarchy; a file that is not there sets no limit.
"""

import os
from collections.abc import Iterator
from pathlib import Path, PurePosixPath

_ROOT = Path("/sys/fs/cgroup")
_OWN = Path("/proc/self/cgroup")
_MACHINE = Path("/proc/meminfo")
_MEMORY = (
    ("memory.max", "memory.current"),
    ("memory.limit_in_bytes", "memory.usage_in_bytes"),
)
_NO_LIMIT = 1 << 62
"""Version 1 of the hierarchy has a number for none: 2^63 less a page."""


def cpus(root: Path = _ROOT, own: Path = _OWN) -> float:
    """CPUs that this process may use: the least of affinity and the limits of all its groups."""
    limits = [quota for folder in _folders(root, own, "cpu") if (quota := _quota(folder))]
    return min([float(_allowed()), *limits])


def _allowed() -> int:
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def oom_kills(root: Path = _ROOT, own: Path = _OWN) -> int:
    """How often the kernel killed a process of this group because its memory was used up."""
    for folder in _folders(root, own, "memory"):
        for name in ("memory.events", "memory.oom_control"):
            for line in _text(folder / name).splitlines():
                key, _, value = line.partition(" ")
                if key == "oom_kill" and value.strip().isdecimal():
                    return int(value)
    return 0


def memory_limit(root: Path = _ROOT, own: Path = _OWN) -> int | None:
    """Bytes that the processes of this group may take: the least limit of all its groups."""
    limits = [
        int(text)
        for folder in _folders(root, own, "memory")
        for name, _ in _MEMORY
        if (text := _text(folder / name).strip()).isdecimal() and int(text) < _NO_LIMIT
    ]
    return min(limits, default=None)


def memory_peak(root: Path = _ROOT, own: Path = _OWN) -> int | None:
    """Most bytes that the processes of this group have taken at one time."""
    for folder in _folders(root, own, "memory"):
        for name in ("memory.peak", "memory.max_usage_in_bytes"):
            text = _text(folder / name).strip()
            if text.isdecimal():
                return int(text)
    return None


def free_memory(root: Path = _ROOT, own: Path = _OWN, machine: Path = _MACHINE) -> int:
    """Bytes that this process may still take: the least that the machine and all groups have.

    What a group has read from files counts as free, as far as the kernel can drop it.
    """
    free = [
        int(limit) - int(used) + _statistic(folder, "inactive_file")
        for folder in _folders(root, own, "memory")
        for limits, usage in _MEMORY
        if (limit := _text(folder / limits).strip()).isdecimal()
        and (used := _text(folder / usage).strip()).isdecimal()
    ]
    words = next((x.split() for x in _text(machine).splitlines() if x.startswith("MemAvail")), [])
    return max(0, min([*free, int(words[1]) * 1024] if words else [*free, 0]))


def _statistic(folder: Path, name: str) -> int:
    for line in _text(folder / "memory.stat").splitlines():
        key, _, value = line.partition(" ")
        if key == name:
            return int(value)
    return 0


def _quota(folder: Path) -> float | None:
    """CPUs of a group: `cpu.max` in version 2, two files in version 1."""
    words = _text(folder / "cpu.max").split() or [
        _text(folder / "cpu.cfs_quota_us").strip(),
        _text(folder / "cpu.cfs_period_us").strip(),
    ]
    if len(words) != 2 or not all(word.isdecimal() for word in words):
        return None
    quota, period = int(words[0]), int(words[1])
    return quota / period if quota > 0 and period > 0 else None


def _folders(root: Path, own: Path, controller: str) -> Iterator[Path]:
    """Folders of this process's group and of those above it, innermost first."""
    for line in _text(own).splitlines():
        _, controllers, path = line.split(":", 2)
        if not controllers:
            base = root
        elif controller in controllers.split(","):
            base = root / controller
        else:
            continue
        group = PurePosixPath(path.lstrip("/"))
        yield from (base / parent for parent in (group, *group.parents))


def _text(file: Path) -> str:
    try:
        return file.read_text()
    except OSError:
        return ""
