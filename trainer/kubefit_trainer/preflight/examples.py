"""Sets of labelled images in TFRecord files: any that are described, or what tfds has prepared."""

import json
from array import array
from collections.abc import Iterable
from itertools import islice
from pathlib import Path
from typing import Any

from kubefit.api.recipe import LabelKind, Tfds, TFRecordFiles
from kubefit_trainer.failure import ConfigurationError
from kubefit_trainer.preflight import records
from kubefit_trainer.preflight.labels import Labels, NamedClasses, numbered, places, table
from kubefit_trainer.preflight.records import RecordTable, Value

INFO, _FEATURES = "dataset_info.json", "features.json"
_TEMPLATE = "{DATASET}-{SPLIT}.{FILEFORMAT}-{SHARD_X_OF_Y}"


def of_files(
    spec: TFRecordFiles, kind: LabelKind, volume: Path, *, known: list[str] | None, field: str
) -> tuple[Labels, RecordTable]:
    """Images and labels of the files of a folder, or whose names fit a pattern, by name.

    Raises:
        ConfigurationError: there are no such files, or they do not hold what is described.

    """
    path = volume / spec.files
    found = path.iterdir() if path.is_dir() else path.parent.glob(path.name)
    files = sorted(one for one in found if one.is_file() and not one.name.startswith("."))
    if not files:
        raise ConfigurationError(f"{field}.files: there is no file {path}")
    return _read(
        files,
        kind,
        keys=(spec.image_key, spec.label_key),
        names=spec.classes,
        known=known,
        field=field,
    )


def of_tfds(
    spec: Tfds, kind: LabelKind, volume: Path, *, known: list[str] | None, field: str
) -> tuple[Labels, RecordTable]:
    """Images and labels of a split of a folder that `tfds` has prepared.

    Raises:
        ConfigurationError: the folder is none, or has no such split or feature.

    """
    try:
        return _of_tfds(spec, kind, volume / spec.folder, known=known, field=field)
    except (LookupError, TypeError, AttributeError, ValueError) as error:
        raise ConfigurationError(
            f"{field}.folder: {volume / spec.folder} is not what tfds prepares: its descriptions"
            f" lack {error}; prepare the set anew"
        ) from error


def _of_tfds(
    spec: Tfds, kind: LabelKind, folder: Path, *, known: list[str] | None, field: str
) -> tuple[Labels, RecordTable]:
    info, features = (_json(folder, name, field=field) for name in (INFO, _FEATURES))
    splits = {split["name"]: split for split in info.get("splits", [])}
    if spec.split not in splits:
        raise ConfigurationError(
            f"{field}.split: {folder} has no split {spec.split!r}, only {', '.join(splits)}"
        )
    if info.get("fileFormat", "tfrecord") != "tfrecord":
        raise ConfigurationError(
            f"{field}.folder: {folder} holds {info['fileFormat']} files; prepare the set with"
            " file_format='tfrecord'"
        )
    described = features.get("featuresDict", {}).get("features", {})
    for name, key in (("imageKey", spec.image_key), ("labelKey", spec.label_key)):
        if key not in described:
            raise ConfigurationError(
                f"{field}.{name}: {folder} has no feature {key!r}, only {', '.join(described)}"
            )
    split = splits[spec.split]
    found = _read(
        _shards(folder, str(info["name"]), split),
        kind,
        keys=(spec.image_key, spec.label_key),
        names=_class_names(folder, spec.label_key, described[spec.label_key], known),
        known=known,
        field=f"{field}.folder",
    )
    wanted = sum(map(int, split["shardLengths"]))
    if len(found[1]) != wanted:
        raise ConfigurationError(
            f"{field}.folder: {folder} has {len(found[1])} images in the split {spec.split}, but"
            f" should have {wanted}; prepare the set anew"
        )
    return found


def _json(folder: Path, name: str, *, field: str) -> dict[str, Any]:
    try:
        found: dict[str, Any] = json.loads((folder / name).read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else error
        raise ConfigurationError(
            f"{field}.folder: {folder} is not what tfds prepares, as {name} cannot be read"
            f" ({why}); name the folder of a version, such as mnist/3.0.1"
        ) from error
    return found


def _shards(folder: Path, dataset: str, split: dict[str, Any]) -> list[Path]:
    template, count = split.get("filepathTemplate") or _TEMPLATE, len(split["shardLengths"])
    return [
        folder
        / template.format(
            DATASET=dataset,
            SPLIT=split["name"],
            FILEFORMAT="tfrecord",
            SHARD_INDEX=f"{shard:05}",
            NUM_SHARDS=f"{count:05}",
            SHARD_X_OF_Y=f"{shard:05}-of-{count:05}",
        )
        for shard in range(count)
    ]


def _class_names(
    folder: Path, key: str, feature: dict[str, Any], known: list[str] | None
) -> list[str] | None:
    """Names of the classes, those known where it has numbers alone; None where it is no class."""
    file = folder / f"{key}.labels.txt"
    if file.is_file():
        return file.read_text(encoding="utf-8").splitlines()
    count = feature.get("classLabel", {}).get("numClasses")
    return known or places(int(count), known=None) if count else None


def _read(
    files: list[Path],
    kind: LabelKind,
    *,
    keys: tuple[str, str],
    names: list[str] | None,
    known: list[str] | None,
    field: str,
) -> tuple[Labels, RecordTable]:
    images, values = RecordTable(files), list[list[Value]]()
    for number, image, label in records.read(
        files, image_key=keys[0], label_key=keys[1], field=field
    ):
        images.add(number, image)
        values.append(label)
    if not values:
        raise ConfigurationError(f"{field}: {files[0]} has no record")
    where = f"{field}: feature {keys[1]!r}"
    return _labels(values, kind, keys[1], names=names, known=known, where=where), images


def _labels(
    values: list[list[Value]],
    kind: LabelKind,
    key: str,
    *,
    names: list[str] | None,
    known: list[str] | None,
    where: str,
) -> Labels:
    if kind is LabelKind.REGRESSION:
        width = len(values[0])
        _check(values, (int, float), f"{width or 'some'} numbers", {width} - {0}, where=where)
        rows = array("f", (float(value) for row in values for value in row))
        of_row = [key] if width == 1 else places(width, known=known)
        return table(rows, names=of_row, known=known, kind=kind, where=where)
    single = kind is LabelKind.SINGLE_LABEL
    is_number = any(isinstance(value, int) for row in values for value in row)
    _check(
        values,
        (int,) if is_number else (bytes,),
        "one class number or name" if single else "class numbers or names, not both",
        {1} if single else None,
        where=where,
    )
    collected = NamedClasses(kind)
    if is_number and (single or names):
        flat = [int(value) for row in values for value in row]
        checked = numbered(flat, names=names, known=known, where=where)
        if single:
            return checked
        found = iter(checked.classes or ())
        for row in values:
            collected.add(checked.names[number] for number in islice(found, len(row)))
        return collected.labels(known=checked.names, where=where)
    for row in values:
        collected.add(
            value.decode(errors="replace") if isinstance(value, bytes) else str(value)
            for value in row
        )
    return collected.labels(known=known, where=where)


def _check(
    values: Iterable[list[Value]],
    kinds: tuple[type, ...],
    wanted: str,
    lengths: set[int] | None,
    *,
    where: str,
) -> None:
    for record, row in enumerate(values):
        if (lengths is not None and len(row) not in lengths) or not all(
            isinstance(value, kinds) for value in row
        ):
            seen = ", ".join(map(repr, row[:3])) or "nothing"
            raise ConfigurationError(f"{where} of image {record} is {seen}, not {wanted}")
