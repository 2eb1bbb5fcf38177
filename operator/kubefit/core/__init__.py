"""Decisions of the operator: what was observed in, what is to be done out.

Pure: no I/O, no clock, no randomness, nothing of kopf or of the Kubernetes client. Kubernetes
objects are plain mappings here, as the API server gives and takes them.
"""
