"""Limits and kills as the kernel's control groups tell them."""

import os
from pathlib import Path

import pytest

from kubefit_trainer.agent import cgroup

AFFINITY = float(len(os.sched_getaffinity(0)))


def make(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_text(text)


@pytest.mark.parametrize(
    ("own", "files", "free"),
    [
        ("0::/", {}, 8000 * 1024),
        (
            "0::/pod/container",
            {
                "pod/memory.max": "5000000",
                "pod/memory.current": "3000000",
                "pod/memory.stat": "anon 1\ninactive_file 500000\n",
                "pod/container/memory.max": "max",
                "pod/container/memory.current": "1",
            },
            2500000,
        ),
        (
            "3:memory:/",
            {"memory/memory.limit_in_bytes": "700\n", "memory/memory.usage_in_bytes": "900\n"},
            0,
        ),
    ],
    ids=["the machine's", "a limit of a group", "a group over its limit"],
)
def test_free_memory_is_the_least_that_any_group_has(
    tmp_path: Path, own: str, files: dict[str, str], free: int
) -> None:
    make(tmp_path, {**files, "own": own, "meminfo": "MemTotal: 9000 kB\nMemAvailable: 8000 kB\n"})
    assert cgroup.free_memory(tmp_path, tmp_path / "own", tmp_path / "meminfo") == free


@pytest.mark.parametrize(
    ("own", "files", "limit", "peak"),
    [
        ("0::/", {}, None, None),
        (
            "0::/pod/container",
            {
                "pod/memory.max": "5000",
                "pod/memory.peak": "4000",
                "pod/container/memory.max": "max",
                "pod/container/memory.peak": "3000",
            },
            5000,
            3000,
        ),
        (
            "3:memory:/",
            {
                "memory/memory.limit_in_bytes": "9223372036854771712\n",
                "memory/memory.max_usage_in_bytes": "900\n",
            },
            None,
            900,
        ),
    ],
    ids=["no groups", "a limit of the pod", "the older hierarchy without a limit"],
)
def test_limit_and_peak_of_memory(
    tmp_path: Path, own: str, files: dict[str, str], limit: int | None, peak: int | None
):
    make(tmp_path, {**files, "own": own})
    assert cgroup.memory_limit(tmp_path, tmp_path / "own") == limit
    assert cgroup.memory_peak(tmp_path, tmp_path / "own") == peak


@pytest.mark.parametrize(
    ("own", "files", "cpus"),
    [
        ("0::/", {"cpu.max": "50000 100000\n"}, 0.5),
        ("0::/", {"cpu.max": "max 100000\n"}, AFFINITY),
        (
            "0::/pod/container",
            {"pod/cpu.max": "25000 100000", "pod/container/cpu.max": "max 1"},
            0.25,
        ),
        (
            "4:cpu,cpuacct:/\n3:memory:/",
            {"cpu/cpu.cfs_quota_us": "75000\n", "cpu/cpu.cfs_period_us": "100000\n"},
            0.75,
        ),
        (
            "4:cpu,cpuacct:/",
            {"cpu/cpu.cfs_quota_us": "-1\n", "cpu/cpu.cfs_period_us": "100000\n"},
            AFFINITY,
        ),
        ("0::/", {}, AFFINITY),
    ],
)  # fmt: skip
def test_cpu_limits_of_both_versions(tmp_path: Path, own: str, files: dict[str, str], cpus: float):
    make(tmp_path, {**files, "own": own})
    assert cgroup.cpus(tmp_path, tmp_path / "own") == cpus


@pytest.mark.parametrize(
    ("own", "files", "kills"),
    [
        ("0::/", {"memory.events": "low 0\noom 2\noom_kill 3\noom_group_kill 0\n"}, 3),
        ("5:memory:/", {"memory/memory.oom_control": "under_oom 0\noom_kill 1\n"}, 1),
        ("0::/", {}, 0),
    ],
)
def test_kills_for_memory_of_both_versions(
    tmp_path: Path, own: str, files: dict[str, str], kills: int
):
    make(tmp_path, {**files, "own": own})
    assert cgroup.oom_kills(tmp_path, tmp_path / "own") == kills


def test_without_control_groups_the_affinity_counts(tmp_path: Path):
    assert cgroup.cpus(tmp_path, tmp_path / "missing") == AFFINITY
