"""Patches of the pod template: as strategic merge does for what users patch."""

from kubefit.core.merge import merged


def test_named_items_are_merged_by_name_and_new_ones_come_last() -> None:
    base = [{"name": "trainer", "image": "a", "env": [{"name": "A", "value": "1"}]}]
    patch = [
        {"name": "trainer", "env": [{"name": "B", "value": "2"}]},
        {"name": "side", "image": "b"},
    ]
    trainer, side = merged(base, patch)
    assert trainer["image"] == "a"
    assert [e["name"] for e in trainer["env"]] == ["A", "B"]
    assert side == {"name": "side", "image": "b"}


def test_null_removes_and_lists_without_names_are_replaced() -> None:
    base = {"a": 1, "b": [1, 2], "c": {"d": 1}}
    assert merged(base, {"a": None, "b": [3], "c": {"e": 2}}) == {"b": [3], "c": {"d": 1, "e": 2}}


def test_the_base_is_left_as_it_is() -> None:
    base = {"c": {"d": 1}}
    merged(base, {"c": {"d": 2}})
    assert base == {"c": {"d": 1}}
