"""`spec.fetch`: files and folders of object stores and web servers, brought onto the volume.

`python -m kubefit_trainer.fetch` is the first container of a worker's pod; `kubefit run` calls
`carry_out` itself. Imports neither TensorFlow nor NumPy.
"""

import contextlib
import time
from collections.abc import Callable, Iterable
from pathlib import Path

from kubefit.api.fetch import Fetch
from kubefit_trainer.fetch import credentials, download
from kubefit_trainer.fetch.faults import FetchError, said
from kubefit_trainer.fetch.place import Place
from kubefit_trainer.fetch.sources import Source

__all__ = ["FetchError", "Tell", "carry_out"]

Tell = Callable[[str], None]
_WAITS = (1.0, 4.0, 15.0)
"""Seconds before each further try."""


def carry_out(
    fetches: Iterable[Fetch],
    *,
    volume: Path,
    tell: Tell,
    secrets: Path | None,
    waits: Iterable[float] = _WAITS,
) -> None:
    """Brings everything onto the volume that is not there yet; goes on where it was broken off.

    Args:
        fetches: What to fetch, `spec.fetch`.
        volume: Root of the job's volume.
        tell: Gets a sentence now and then.
        secrets: Folder with a folder for each Secret; None where the environment has credentials.
        waits: Seconds before each further try of what may pass.

    Raises:
        FetchError: something cannot be had; the message names the field.

    """
    for i, wanted in enumerate(fetches):
        field = f"spec.fetch[{i}]"
        secret = credentials.read(wanted, secrets, field=field)
        source = Source(wanted, secret, field=field)
        with contextlib.closing(Place(volume, wanted.to, field=field)) as place:
            _persistently(source, place, tell=tell, waits=tuple(waits))


def _persistently(source: Source, place: Place, *, tell: Tell, waits: tuple[float, ...]) -> None:
    for wait in (*waits, None):
        try:
            with place.locked(tell):
                download.bring(source, place, tell=tell)
            return
        except Exception as error:  # what libraries of five stores raise is told in one sentence
            fault = said(error, source)
            if fault.permanent or wait is None:
                raise fault from error
            tell(f"{fault}; tries again in {wait:g} s")
            time.sleep(wait)
