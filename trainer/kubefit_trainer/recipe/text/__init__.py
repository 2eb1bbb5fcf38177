"""Recipes of texts: words by number, and the networks that read them."""
