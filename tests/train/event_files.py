"""What TensorBoard would read of a job's folder."""

from pathlib import Path

import numpy as np
import tensorflow as tf
from tensorflow.tsl.profiler.protobuf import xplane_pb2


def histograms(job_dir: Path) -> dict[int, dict[str, np.ndarray]]:
    """Histograms by the number of their epoch and by name; rows of left, right and count."""
    found: dict[int, dict[str, np.ndarray]] = {}
    for file in sorted((job_dir / "tensorboard" / "weights").glob("*tfevents*")):
        for event in tf.compat.v1.train.summary_iterator(str(file)):
            for value in event.summary.value:
                found.setdefault(event.step, {})[value.tag] = tf.make_ndarray(value.tensor)
    return found


def profiled_steps(job_dir: Path, name: str) -> list[int]:
    """Steps that a profile shows, which has to be the only one."""
    folder = job_dir / "tensorboard" / "plugins" / "profile"
    assert [one.name for one in folder.iterdir()] == [name]
    (file,) = (folder / name).glob("*.xplane.pb")
    space = xplane_pb2.XSpace.FromString(file.read_bytes())
    return [
        stat.int64_value
        for plane in space.planes
        for line in plane.lines
        for event in line.events
        if plane.event_metadata[event.metadata_id].name == "train"
        for stat in event.stats
        if plane.stat_metadata[stat.metadata_id].name == "step_num"
    ]
