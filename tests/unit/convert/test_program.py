"""From the command of a container to a program: what is understood, and what is refused."""

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from kubefit.convert import Given, UnconvertibleError, convert

CONTAINER = "spec.tfReplicaSpecs.Worker.template.spec.containers[0]"


def _converted(given: Given | None = None, **container: Any) -> dict[str, Any]:
    return convert(_job(**container), given or Given()).job["spec"]


def _notes(**container: Any) -> list[str]:
    found = convert(_job(**container), Given(claim="c", image="i")).notes
    return [str(note).removeprefix(f"{CONTAINER}.") for note in found]


def _job(**container: Any) -> dict[str, Any]:
    pod = {"containers": [{"name": "tensorflow", "image": "i", **container}]}
    return {
        "apiVersion": "kubeflow.org/v1",
        "kind": "TFJob",
        "metadata": {"name": "job"},
        "spec": {"tfReplicaSpecs": {"Worker": {"template": {"spec": pod}}}},
    }


@pytest.mark.parametrize(
    ("command", "path", "args"),
    [
        (["python", "/a.py", "--x", "1"], "/a.py", ["--x", "1"]),
        (["/usr/bin/python3.11", "-u", "-B", "/a.py"], "/a.py", []),
        (["/usr/bin/env", "python", "/a.py"], "/a.py", []),
        (["python", "-uB", "/a.py", "-um"], "/a.py", ["-um"]),
        (["tini", "-g", "--", "python", "/a.py"], "/a.py", []),
        (["/a.py", "-c", "x"], "/a.py", ["-c", "x"]),
        (["sh", "-c", "exec python /a.py"], "/a.py", []),
        (["bash", "-lc", "python /a.py 'one two' \"$HOME\"'$x' \\$y"], "/a.py",
         ["one two", "/me$x", "$y"]),
        (["sh", "-c", "python /a.py --x=1 # comment; python /b.py"], "/a.py", ["--x=1"]),
        (["sh", "-c", "cd /a && python b.py"], "/a/b.py", []),
        (["sh", "-c", "python /a.py \\\n  --x=1\n"], "/a.py", ["--x=1"]),
        (["sh", "-c", "python /a.py --sep ';' --or '||' > /log 2>&1"], "/a.py",
         ["--sep", ";", "--or", "||"]),
        (["sh", "-c", "python -m pip install x; python /a.py"], "/a.py", []),
        (["sh", "-c", "python /a.py ${HOME}/data"], "/a.py", ["/me/data"]),
        (["python", "/a.py", "$(HOME)/data", "$$(HOME)"], "/a.py", ["/me/data", "$(HOME)"]),
    ],
)  # fmt: skip
def test_a_command_is_read_as_the_container_would_run_it(
    command: list[str], path: str, args: list[str]
) -> None:
    script = _converted(command=command, env=[{"name": "HOME", "value": "/me"}])["script"]
    assert (script["path"], script.get("args", [])) == (path, args)


@pytest.mark.parametrize(
    ("command", "sentence"),
    [
        ([], "command: is not set, and the image's own command is not in the document"),
        (["horovodrun", "-np", "2", "python", "a.py"], "command: 'horovodrun' is not a Python"),
        (["bash", "/run.sh"], "command: 'bash' is not a Python program"),
        (["python"], "command: Python is given no program"),
        (["sh", "-c", "./run.sh"], "command: no Python program is seen in './run.sh'"),
        (["sh", "-c", "python a.py && python b.py"], "command: runs more than one Python program"),
        (["sh", "-c", "if true; then python a.py; fi"], "command: if of the shell cannot be"),
        (["sh", "-c", "python a.py &"], "command: & of the shell cannot be converted"),
        (["sh", "-c", "curl x | python -"], "command: no Python program is seen in"),
        (["sh", "-c", "python a.py || true"], "command: || of the shell cannot be converted"),
        (["sh", "-c", "python a.py --n $(nproc)"], "command: $( of the shell cannot be"),
        (["sh", "-c", "python a.py --n `nproc`"], "command: ` of the shell cannot be converted"),
        (["sh", "-c", "python a.py /data/*.csv"], "command: * of the shell cannot be converted"),
        (["sh", "-c", "python a.py ~/data"], "command: ~ of the shell cannot be converted"),
        (["sh", "-c", "python a.py 'x"], "command: ' without an end of the shell cannot be"),
    ],
)
def test_what_is_no_program_is_refused_with_what_to_do(command: list[str], sentence: str) -> None:
    with pytest.raises(UnconvertibleError) as refused:
        _converted(command=command)
    assert str(refused.value).startswith(f"{CONTAINER}.{sentence}")
    assert str(refused.value).endswith("with --script PATH")


def test_the_program_can_be_given_where_the_command_does_not_tell_it() -> None:
    given = Given(script="/opt/train.py")
    assert _converted(given, args=["--x"])["script"] == {"path": "/opt/train.py", "args": ["--x"]}
    notes = convert(_job(command=["./run.sh"]), given).notes
    assert any("--script is run in place of './run.sh'" in note.text for note in notes)


@pytest.mark.parametrize(
    ("container", "note"),
    [
        ({"args": ["python", "/a.py"]}, "args: are taken for the whole command"),
        ({"command": ["python", "a.py"]}, "command: a.py is looked for in the WORKDIR"),
        ({"command": ["python", "/a.py", "$(NODE)"]}, "command[2]: $(NODE) is not put in"),
        ({"command": ["python", "-O", "/a.py"]}, "command: -O of Python is left out"),
        ({"command": ["sh", "-c", "nvidia-smi; python /a.py"]}, "command: 'nvidia-smi' is not run"),
        ({"command": ["sh", "-c", "python /a.py | tee /x"]}, "command: '| tee /x' is left out"),
        ({"command": ["sh", "-c", "python /a.py $NODE"]}, "command: $NODE is not put in"),
    ],
)
def test_what_of_a_command_is_not_done_is_told(container: dict[str, Any], note: str) -> None:
    assert any(one.startswith(note) for one in _notes(**container))


def test_a_variable_that_a_shell_would_take_apart_is_refused() -> None:
    with pytest.raises(UnconvertibleError, match=r"\$A of the shell cannot be converted"):
        _converted(command=["sh", "-c", "python /a.py $A"], env=[{"name": "A", "value": "--x 1"}])


def test_variables_of_a_line_are_those_of_the_worker() -> None:
    line = "export A=1 B='two words'; C=3 python /a.py"
    spec = _converted(command=["sh", "-c", line], env=[{"name": "A", "value": "0"}])
    assert spec["podTemplate"]["spec"]["containers"][0]["env"] == [
        {"name": "A", "value": "1"},
        {"name": "B", "value": "two words"},
        {"name": "C", "value": "3"},
    ]


def test_a_module_runs_as_python_runs_it(tmp_path: Path) -> None:
    package = tmp_path / "trainer"
    package.mkdir()
    (package / "__init__.py").touch()
    (package / "beside.py").write_text("NAME = 'beside'")
    (package / "task.py").write_text(
        "import sys\nfrom trainer.beside import NAME\nprint(__name__, sys.argv, NAME)"
    )
    words = ["-m", "trainer.task", "--x", "1"]
    script = _converted(command=["python", *words])["script"]
    launcher = (
        "import sys; from pathlib import Path; from kubefit_trainer import script\n"
        "script.run(sys.argv[1].encode(), Path('/elsewhere/script.py'), sys.argv[2:])"
    )
    run = {"cwd": tmp_path, "capture_output": True, "text": True, "check": True}
    ours = subprocess.run(
        [sys.executable, "-c", launcher, script["inline"], *script["args"]], **run
    )
    pythons = subprocess.run([sys.executable, *words], **run)
    assert ours.stdout == pythons.stdout != ""
