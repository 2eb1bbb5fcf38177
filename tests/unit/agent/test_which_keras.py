"""Programs for the other Keras are recognized before and while they run."""

import subprocess
import sys
from pathlib import Path

import pytest

from kubefit.api.v1alpha1 import Runtime
from kubefit_trainer import which_keras


@pytest.mark.parametrize(
    ("runtime", "source", "begins", "advice"),
    [
        ("keras", "import os\nimport tf_keras as keras\n", "line 2: import tf_keras ", "tf-keras"),
        (
            "keras",
            "from tf_keras.layers import Dense\n",
            "line 1: from tf_keras.layers",
            "tf-keras",
        ),
        (
            "keras",
            "import os\nos.environ['TF_USE_LEGACY_KERAS'] = '1'\n",
            "line 2: setting TF_USE_LEGACY_KERAS is for Keras 2",
            "set spec.script.runtime to tf-keras (kubefit run --runtime tf-keras)",
        ),
        (
            "keras",
            "import os\nos.environ.setdefault('TF_USE_LEGACY_KERAS', 'True')\n",
            "line 2: setting TF_USE_LEGACY_KERAS",
            "tf-keras",
        ),
        ("tf-keras", "import keras\n", "line 1: import keras is for Keras 3", "import tf_keras"),
        ("tf-keras", "from keras import layers\n", "line 1: from keras import", "tf.keras"),
        ("tf-keras", "import numpy, keras.layers\n", "line 1: import keras.layers", "to keras"),
    ],
)
def test_a_program_for_the_other_keras_is_told_the_line_and_what_to_do(
    runtime: str, source: str, begins: str, advice: str
) -> None:
    sentence = which_keras.check(source.encode(), Runtime(runtime))
    assert sentence is not None
    assert sentence.startswith(begins)
    assert advice in sentence


@pytest.mark.parametrize(
    ("runtime", "source"),
    [
        ("keras", "import keras\nimport keras_hub\n"),
        ("keras", "from tensorflow import keras\n"),
        ("keras", "import os\nos.environ['TF_USE_LEGACY_KERAS'] = '0'\n"),
        ("keras", "try:\n    import tf_keras\nexcept ImportError:\n    import keras\n"),
        ("tf-keras", "import tf_keras\nfrom tensorflow import keras\n"),
        ("tf-keras", "import os\nos.environ['TF_USE_LEGACY_KERAS'] = '1'\n"),
        ("tf-keras", "from .keras import model\n"),
    ],
)
def test_a_program_for_this_keras_or_for_either_passes(runtime: str, source: str) -> None:
    assert which_keras.check(source.encode(), Runtime(runtime)) is None


@pytest.mark.parametrize(
    ("runtime", "other", "own"),
    [("keras", "tf_keras", "keras"), ("tf-keras", "keras", "tf_keras")],
)
def test_the_other_keras_is_refused_to_the_program_but_not_to_libraries(
    tmp_path: Path, runtime: str, other: str, own: str
) -> None:
    folder, library = tmp_path / "code", tmp_path / "site-packages"
    for name in (folder, library, library / "keras", library / "tf_keras"):
        name.mkdir()
    for name in ("keras", "tf_keras"):
        (library / name / "__init__.py").write_text(f"NAME = {name!r}\n")
    (library / "hub.py").write_text(f"import {other}\nNAME = {other}.NAME\n")
    (folder / "network.py").write_text(f"\nimport {other}\n")
    program = folder / "train.py"
    program.write_text(
        f"try:\n    import {other} as found\nexcept ImportError:\n    import {own} as found\n"
        "try:\n    import network\nexcept ImportError as error:\n    print(error)\n"
        "import hub\nprint(found.NAME, hub.NAME)\n"
    )
    code = (
        "import sys; from pathlib import Path; from kubefit.api.v1alpha1 import Runtime;"
        f"from kubefit_trainer import script, which_keras; p = Path({str(program)!r});"
        f"sys.path.insert(1, {str(library)!r});"
        f"which_keras.refuse_imports(Runtime({runtime!r}), p); script.run(p.read_bytes(), p, [])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    refused, found = done.stdout.splitlines()
    assert refused.startswith(f"network.py: line 2: import {other} is for Keras ")
    assert found == f"{own} {other}"
