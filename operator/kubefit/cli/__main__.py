"""`python -m kubefit.cli` is the command `kubefit`."""

from kubefit.cli import main

main()
