"""Builds the cluster's programs from pinned Go modules, once, into the cache."""

import fcntl
import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from places import BIN, CACHE, KUBERNETES, MODULES

_VERSION = "k8s.io/component-base/version"
_KUBERNETES_FLAGS = (
    f"-X {_VERSION}.gitVersion=v{KUBERNETES} -X {_VERSION}.gitTreeState=clean"
    f" -X {_VERSION}.gitMajor={KUBERNETES.split('.')[0]}"
    f" -X {_VERSION}.gitMinor={KUBERNETES.split('.')[1]}"
)


@dataclass(frozen=True, slots=True)
class Program:
    """One program: its name, the module below `go/` that pins it, its package."""

    name: str
    module: str
    package: str
    flags: str = ""


PROGRAMS = (
    *(
        Program(name, "programs", f"k8s.io/kubernetes/cmd/{name}", _KUBERNETES_FLAGS)
        for name in (
            "kube-apiserver",
            "kube-controller-manager",
            "kube-scheduler",
            "kubelet",
            "kubectl",
            "kube-proxy",
        )
    ),
    Program("kwok", "programs", "sigs.k8s.io/kwok/cmd/kwok"),
    Program("helm", "programs", "helm.sh/helm/v4/cmd/helm"),
    Program("coredns", "programs", "./coredns"),
    Program("kube-network-policies", "programs", "./policies"),
    Program("etcd", "etcd", "go.etcd.io/etcd/server/v3"),
    Program("pause", "pause", "."),
)


def path(name: str) -> Path:
    """The program's file: in `KUBEBUILDER_ASSETS` if that has it, else in the cache."""
    assets = os.environ.get("KUBEBUILDER_ASSETS")
    if assets and (Path(assets) / name).exists():
        return Path(assets) / name
    return BIN / name


def build(only: frozenset[str] | None = None) -> None:
    """Builds what is missing; two callers at once build nothing twice."""
    wanted = [p for p in PROGRAMS if only is None or p.name in only]
    if all(path(p.name).exists() for p in wanted):
        return
    with _alone():
        missing = [p for p in wanted if not path(p.name).exists()]
        for number, program in enumerate(missing, 1):
            begin = time.monotonic()
            print(f"building {program.name} ({number}/{len(missing)}) …", end="", flush=True)
            _build(program)
            print(f" {time.monotonic() - begin:.0f} s", flush=True)


def _build(program: Program) -> None:
    if not shutil.which("go"):
        raise SystemExit("the cluster's programs are built with Go: install Go 1.26 or later")
    target = BIN / program.name
    unfinished = target.with_suffix(f".{os.getpid()}")
    subprocess.run(
        ["go", "build", "-trimpath", "-mod=readonly", "-gcflags=all=-dwarf=false"]
        + ["-ldflags", f"-s -w {program.flags}", "-o", unfinished, program.package],
        cwd=MODULES / program.module,
        env=os.environ | {"CGO_ENABLED": "0"},
        check=True,
    )
    unfinished.rename(target)


@contextmanager
def _alone() -> Iterator[None]:
    BIN.mkdir(parents=True, exist_ok=True)
    with (CACHE / "build.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        yield
