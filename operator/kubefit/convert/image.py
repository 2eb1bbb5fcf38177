"""From the image of a container to `spec.image` and `spec.script.runtime`."""

import re
from dataclasses import dataclass

from kubefit.api.v1alpha1 import Runtime
from kubefit.convert.fields import Fields, Note

_STOCK = re.compile(r"(?:(?:index\.)?docker\.io/)?tensorflow/tensorflow(?:[:@].*)?")
_VERSION = re.compile(r":(\d+)\.(\d+)")
_KERAS_3 = (2, 16)
"""The first TensorFlow whose `tf.keras` is Keras 3."""
_DOCKERFILE = "docs/how-to/migrate-from-kubeflow.md has a Dockerfile"


@dataclass(frozen=True, slots=True)
class Image:
    """What an image tells."""

    name: str | None
    """`spec.image`; none where the operator's own trainer image does."""
    runtime: Runtime | None
    """The Keras of its programs, where its version can be told."""


def of_container(container: Fields, given: str | None, *, gpu: bool) -> Image:
    """The image of the workers; those of TensorFlow lack KubeFit and so are left out."""
    name = container.text("image")
    stock = bool(_STOCK.fullmatch(name))
    version = _VERSION.search(name) if stock else None
    runtime = None
    if version is not None:
        numbers = (int(version[1]), int(version[2]))
        runtime = Runtime.KERAS if numbers >= _KERAS_3 else Runtime.TF_KERAS
    if given is not None:
        return Image(given, runtime)
    if stock or not name:
        gpus = "; for GPUs that must be the one of the target trainer-gpu" if gpu else ""
        container.note(
            "image",
            f"{f'{name} lacks KubeFit' if name else 'is not set'}: the operator's trainer image is"
            f" used{gpus}; where the program needs more than TensorFlow and Keras, {_DOCKERFILE}",
        )
        return Image(None, runtime)
    target = "trainer-gpu" if gpu else "trainer"
    container.note(
        "image",
        f"{name} must be built anew on KubeFit's {target} image before the job can run:"
        f" {_DOCKERFILE}",
    )
    return Image(name, runtime)


def runtime(given: Runtime | None, image: Image, *, keras_2: bool, notes: list[Note]) -> Runtime:
    """The Keras of the program: as given, as its environment asks, or as its image suggests."""
    if given is not None:
        return given
    if keras_2:
        return Runtime.TF_KERAS
    if image.runtime is None:
        notes.append(
            Note(
                "spec.script.runtime",
                "the program is taken for one of Keras 3; one for TensorFlow before 2.16 needs"
                " --runtime tf-keras",
            )
        )
    elif image.runtime is Runtime.TF_KERAS:
        notes.append(
            Note(
                "spec.script.runtime",
                "is tf-keras, as the image has a TensorFlow before 2.16; a program that imports"
                " Keras 3 needs --runtime keras",
            )
        )
    return image.runtime or Runtime.KERAS
