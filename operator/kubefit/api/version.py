"""The version of KubeFit, in one place: wheel, chart, images and `kubefit --version` read it."""

__version__ = "0.1.0"
