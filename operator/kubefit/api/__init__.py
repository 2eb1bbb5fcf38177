"""The contract of KubeFit: resource models, constants and what operator and trainer say to each other.

Imports pydantic and nothing else; everything else in KubeFit may import this package.
"""
