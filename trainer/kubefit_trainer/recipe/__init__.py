"""Carries out `spec.recipe`: image classification described in data."""

from kubefit_trainer.recipe.job import run

__all__ = ["run"]
