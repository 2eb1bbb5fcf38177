"""Failures with a known cause, told apart from bugs; imports nothing heavy."""


class ConfigurationError(Exception):
    """The job's specification or its data cannot be used; one sentence with the field path."""
