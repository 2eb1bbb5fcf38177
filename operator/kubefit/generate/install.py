"""`manifests/install.yaml`: the chart with its default values, for people without helm.

Helm renders it. Whether it is up to date is told without helm, by a digest of all that helm reads.
"""

import hashlib
import subprocess
from pathlib import Path

from kubefit.generate.text import to_yaml

CHART = "charts/kubefit"
NAMESPACE = "kubefit-system"
_STAMP = "# sha256 of the chart: "
_NAMESPACE_OBJECT = {
    "apiVersion": "v1",
    "kind": "Namespace",
    "metadata": {
        "name": NAMESPACE,
        "labels": {"pod-security.kubernetes.io/enforce": "restricted"},
    },
}


def chart_digest(root: Path) -> str:
    """Digest of names and contents of the files that the default rendering depends on."""
    chart = root / CHART
    digest = hashlib.sha256()
    for file in sorted(path for path in chart.rglob("*") if path.is_file()):
        if file.name != "README.md":
            content = file.read_bytes()
            digest.update(f"{file.relative_to(chart).as_posix()} {len(content)}\n".encode())
            digest.update(content)
    return digest.hexdigest()


def is_current(root: Path, text: str) -> bool:
    """Whether the text was rendered from the chart as it is."""
    return f"{_STAMP}{chart_digest(root)}\n" in text


def rendered(root: Path, helm: str) -> str:
    """What helm makes of the chart, with the namespace before it and the digest on top."""
    output = subprocess.run(
        [
            *(helm, "template", "kubefit", str(root / CHART)),
            *("--namespace", NAMESPACE, "--skip-tests"),
        ],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
    ).stdout
    return (
        f"# KubeFit with default values, rendered by helm from {CHART} by `make generate`.\n"
        f"{_STAMP}{chart_digest(root)}\n---\n{to_yaml(_NAMESPACE_OBJECT)}{output}"
    )
