"""The commands `kubefit` and `kubectl-fit`; one module a command.

Imports neither TensorFlow nor, before a command needs a cluster, the Kubernetes client.
"""

from kubefit.cli.app import app

__all__ = ["app", "main"]


def main() -> None:
    """Entry point of both commands."""
    app()
