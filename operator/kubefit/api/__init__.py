"""The contract of KubeFit: resource models, constants, what operator and trainer tell each other.

Imports pydantic and nothing else; everything else in KubeFit may import this package.
"""
