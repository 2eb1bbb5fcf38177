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


def test_a_volume_may_be_mounted_at_several_places() -> None:
    base = [{"name": "volume", "mountPath": "/mnt/kubefit"}]
    patch = [
        {"name": "data", "mountPath": "/images", "subPath": "images"},
        {"name": "data", "mountPath": "/labels", "subPath": "labels"},
    ]
    assert merged(base, patch) == [*base, *patch]


def test_another_volume_at_the_same_place_takes_it() -> None:
    base = [{"name": "memory", "mountPath": "/dev/shm"}, {"name": "tmp", "mountPath": "/tmp"}]
    shm, tmp = merged(base, [{"name": "dshm", "mountPath": "/dev/shm"}])
    assert (shm, tmp["name"]) == ({"name": "dshm", "mountPath": "/dev/shm"}, "tmp")


def test_a_mount_without_a_path_changes_that_of_its_volume() -> None:
    base = [{"name": "volume", "mountPath": "/mnt/kubefit"}]
    assert merged(base, [{"name": "volume", "subPath": "team"}]) == [{**base[0], "subPath": "team"}]
