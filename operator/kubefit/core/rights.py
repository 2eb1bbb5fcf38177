"""Rights that the operator lacks, in a sentence that says what to do."""

import re

_LACKING = re.compile(
    r'is forbidden: User "(?P<user>[^"]*)" cannot (?P<verb>\S+) resource "(?P<resource>[^"]*)"'
)
_WITHOUT = {"networkpolicies": ", or set networkPolicies.jobs=false of the chart"}
"""What does without the right, by resource."""


def told(words: str) -> str:
    """The API server's words of a refusal; others where it refuses for want of a right."""
    found = _LACKING.search(words)
    if found is None:
        return words
    user, verb, resource = found.group("user", "verb", "resource")
    return (
        f"the operator, {user}, has no right to {verb} {resource}: upgrade its role along with it,"
        f" as helm upgrade does{_WITHOUT.get(resource, '')}"
    )
