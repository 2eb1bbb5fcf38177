"""The operator's rights, as rules of a Role, from the table that its code declares."""

from kubefit.controller.rbac import RBAC


def operator_rules() -> list[dict[str, list[str]]]:
    """The rules in the order of the table."""
    return [
        {
            "apiGroups": list(rule.api_groups),
            "resources": list(rule.resources),
            "verbs": list(rule.verbs),
        }
        for rule in RBAC
    ]
