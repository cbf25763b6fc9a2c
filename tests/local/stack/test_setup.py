"""The set-up of a clone: every missing part is named at once, and a second run is skipped."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from infra import setup
from infra.local.settings import ROOT

COMPLETE = {
    "version": [3, 13],
    "path": sys.executable,
    "venv": True,
    "headers": True,
    "include": "/opt/include",
    "compiler": "sh",
}


@pytest.fixture
def clone(tmp_path: Path) -> Path:
    """Return an empty clone, as far as the set-up reads a clone."""
    for name in ("Makefile", "infra/setup.py", "requirements.txt", "requirements-dev.txt"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        shutil.copy(ROOT / name, tmp_path / name)
    return tmp_path


@pytest.fixture
def programs(tmp_path: Path) -> Path:
    """Return a PATH with a shell and make alone."""
    directory = tmp_path / "programs"
    directory.mkdir()
    for name in ("sh", "make"):
        found = shutil.which(name)
        assert found
        (directory / name).symlink_to(found)
    return directory


def write_program(path: Path, text: str) -> None:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)


def make_setup(clone: Path, programs: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [programs / "make", "setup"],
        cwd=clone,
        env={"PATH": str(programs), "CC": "no-such-compiler"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_a_machine_without_python_is_told_how_to_get_it(clone: Path, programs: Path) -> None:
    # A pyenv shim without the version chosen prints the same.
    write_program(programs / "python3.13", 'echo "pyenv: command not found" >&2; exit 127')
    done = make_setup(clone, programs)
    assert done.returncode != 0
    assert "needs Python 3.13 and a C compiler" in done.stderr
    assert "python3.13-dev" in done.stderr


def test_all_that_is_missing_is_named_before_anything_is_installed(
    clone: Path, programs: Path
) -> None:
    write_program(programs / "python3", f'exec {sys.executable} "$@"')
    done = make_setup(clone, programs)
    assert done.returncode != 0
    assert "a C compiler, as `no-such-compiler`" in done.stderr
    assert not (clone / ".venv").exists()


def test_an_environment_whose_making_was_interrupted_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    venv = tmp_path / ".venv"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", venv], check=True)
    commands: list[tuple[str, ...]] = []

    def run(_: Path, *command: str) -> None:
        commands.append(command)
        venv.mkdir(exist_ok=True)

    monkeypatch.setattr(setup, "VENV", venv)
    monkeypatch.setattr(setup, "VENV_PYTHON", venv / "bin/python")
    monkeypatch.setattr(setup, "VENV_MADE", venv / ".made")
    monkeypatch.setattr(setup, "run", run)
    for made in (["venv", "pip"], ["pip"]):
        commands.clear()
        setup.make_venv(sys.executable)
        assert [command[command.index("-m") + 1] for command in commands] == made


@pytest.mark.parametrize(
    ("change", "named"),
    [
        ({}, []),
        ({"venv": False}, ["ensurepip"]),
        ({"headers": False}, ["Python.h in /opt/include"]),
        ({"compiler": "no-such-compiler"}, ["`no-such-compiler`"]),
        ({"venv": False, "headers": False, "compiler": "nope"}, ["ensurepip", "nope", "Python.h"]),
    ],
)
def test_each_thing_missing_is_named(change: dict[str, object], named: list[str]) -> None:
    missing = setup.find_missing(COMPLETE | change)
    assert len(missing) == len(named)
    assert all(word in line for word, line in zip(named, missing, strict=True))


def test_without_python_the_compiler_is_still_looked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CC", "no-such-compiler -O2")
    assert len(setup.find_missing(None)) == 2


def test_the_way_to_get_it_is_the_machines_own(
    monkeypatch: pytest.MonkeyPatch, programs: Path
) -> None:
    monkeypatch.setenv("PATH", str(programs))
    everywhere = setup.explain(["Python 3.13"])
    assert all(manager in everywhere for manager in ("apt-get", "dnf", "brew"))
    write_program(programs / "dnf", "")
    here = setup.explain(["Python 3.13", "a C compiler"])
    assert "dnf install" in here
    assert "apt-get" not in here
    assert "  - a C compiler" in here


def test_a_python_that_does_not_run_is_passed_over(tmp_path: Path) -> None:
    shim = tmp_path / "python3.13"
    write_program(shim, "exit 127")
    assert setup.examine(str(shim)) is None
    assert setup.examine(str(tmp_path / "nothing")) is None
    facts = setup.examine(sys.executable)
    assert facts is not None
    assert facts["version"] == [3, 13]


def test_an_installation_is_skipped_until_its_sources_change(tmp_path: Path) -> None:
    source, stamp = tmp_path / "requirements.txt", tmp_path / "stamp"
    source.write_text("rich==1\n")
    assert not setup.is_installed(stamp, [source])
    stamp.write_text(setup.fingerprint([source]))
    assert setup.is_installed(stamp, [source])
    source.write_text("rich==2\n")
    assert not setup.is_installed(stamp, [source])


def test_the_set_up_parses_on_old_pythons() -> None:
    """The set-up itself tells the owners of an old Python to get a newer Python."""
    compile((ROOT / "infra/setup.py").read_text(), "setup.py", "exec")
    import ast

    ast.parse((ROOT / "infra/setup.py").read_text(), feature_version=(3, 8))
    assert os.access(ROOT / ".ci/run", os.X_OK)
