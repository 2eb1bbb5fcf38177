"""Recipes of recordings: spectrograms, and the network that hears them."""
