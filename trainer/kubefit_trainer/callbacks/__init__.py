"""Keras callbacks that KubeFit adds to every program."""
