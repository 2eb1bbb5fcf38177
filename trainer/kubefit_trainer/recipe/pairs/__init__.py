"""Recipes of texts with targets: sequence to sequence, from tokens to tokens."""
