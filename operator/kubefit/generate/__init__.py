"""Writes every file that follows from the models: CRD, chart copies, manifests, reference, schemas.

`python -m kubefit.generate` writes them, `--check` only says which ones drifted. What a file holds
is a pure function of the models; only `__main__` and `install` touch the disk.
"""
