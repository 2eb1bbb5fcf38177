"""`kubefit version`."""

from kubefit.api.version import __version__
from kubefit.cli import screen


def version() -> None:
    """Print the version of this command."""
    screen.out(f"kubefit {__version__}")
