"""Set up this clone: check the machine's prerequisites, make `.venv`, install into `.venv`.

The make targets run this file with any Python, so the file uses the standard library alone and
parses on Python 3.8. Once `.venv` exists, `infra/packages.py` does the rest inside `.venv`.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

ROOT = Path(__file__).resolve().parent.parent
VENV = ROOT / ".venv"
VENV_PYTHON = VENV / "bin/python"
# Written after the environment is whole: an interrupted start may leave `.venv` without pip.
VENV_MADE = VENV / ".made"
AZURITE = ROOT / "infra/local/azurite"
LOGS = ROOT / "build/logs"
WANTED = (3, 13)

# Each installation holds a stamp of its sources. An unchanged stamp skips the installation, and a
# deleted installation is made again.
PYTHON_STAMP = VENV / "installed"
AZURITE_STAMP = AZURITE / "node_modules/.installed"
PYTHON_SOURCES = (ROOT / "requirements.txt", ROOT / "requirements-dev.txt")
AZURITE_SOURCES = (AZURITE / "package.json", AZURITE / "package-lock.json", AZURITE / ".npmrc")

# The package managers' commands for missing parts: Python with venv, and the headers with a C
# compiler.
ADVICE = {
    "apt-get": (
        "sudo apt-get install python3.13 python3.13-venv python3.13-dev gcc libc6-dev",
        "(where apt has no Python 3.13: https://docs.astral.sh/uv/guides/install-python/)",
    ),
    "dnf": ("sudo dnf install python3.13 python3.13-devel gcc",),
    "brew": ("brew install python@3.13", "xcode-select --install"),
}

EXAMINE = """
import importlib.util, json, os, sys, sysconfig
print(json.dumps({
    "version": sys.version_info[:2],
    "path": sys.executable,
    "venv": all(importlib.util.find_spec(name) for name in ("venv", "ensurepip")),
    "headers": os.path.exists(os.path.join(sysconfig.get_paths()["include"], "Python.h")),
    "include": sysconfig.get_paths()["include"],
    "compiler": (os.environ.get("CC") or sysconfig.get_config_var("CC") or "cc").split()[0],
}))
"""


def fingerprint(sources: Iterable[Path]) -> str:
    """Return a digest of an installation's source files and of the installation's path."""
    digest = hashlib.sha256(str(ROOT).encode())
    for source in sources:
        digest.update(source.read_bytes())
    return digest.hexdigest()


def is_installed(stamp: Path, sources: Iterable[Path]) -> bool:
    """Tell whether an installation was completed from exactly these sources."""
    return stamp.is_file() and stamp.read_text() == fingerprint(sources)


def examine(python: str) -> dict[str, Any] | None:
    """Return a Python's facts about itself; None for one that fails, such as a pyenv shim."""
    try:
        answer = subprocess.run(
            [python, "-I", "-c", EXAMINE],
            check=False,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
        return dict(json.loads(answer.stdout))
    except (OSError, ValueError):
        return None


def find_python() -> dict[str, Any] | None:
    """Return the facts of the first Python 3.13 among the usual names; None without a 3.13."""
    for name in ("python3.13", "python3", sys.executable):
        facts = examine(name)
        if facts and tuple(facts["version"]) == WANTED:
            return facts
    return None


def find_missing(facts: dict[str, Any] | None) -> list[str]:
    """Return one line for each missing part of the machine; `facts` are those of Python 3.13."""
    missing = []
    if facts is None:
        missing.append("Python 3.13, as `python3.13` or `python3`")
    elif not facts["venv"]:
        missing.append("the venv and ensurepip modules of Python 3.13")
    compiler = facts["compiler"] if facts else os.environ.get("CC", "cc").split()[0]
    if not shutil.which(compiler):
        missing.append(f"a C compiler, as `{compiler}` (python-qpid-proton is built from source)")
    if facts and not facts["headers"]:
        missing.append(f"the headers of Python 3.13 (no Python.h in {facts['include']})")
    return missing


def explain(missing: list[str]) -> str:
    """Return the missing parts, and the commands of this machine's package managers."""
    managers = [name for name in ADVICE if shutil.which(name)] or list(ADVICE)
    lines = ["Vouchsafe needs what this machine lacks:"]
    lines += [f"  - {thing}" for thing in missing]
    lines.append("Get it with:")
    lines += [f"  {line}" for name in managers for line in ADVICE[name]]
    return "\n".join(lines)


def run(log: Path, *command: str) -> None:
    """Run a command with its output in `log`. Exit with the log's end after a failure."""
    with log.open("wb") as output:
        status = subprocess.call(command, stdout=output, stderr=subprocess.STDOUT, cwd=ROOT)
    if status:
        tail = "\n".join(log.read_text(errors="replace").splitlines()[-20:])
        sys.exit(f"{tail}\nThe set-up failed; all of its output is in {log.relative_to(ROOT)}")


def make_venv(python: str) -> None:
    """Make `.venv` with this Python and install rich, which shows the later steps."""
    usable = examine(str(VENV_PYTHON))
    if not usable or tuple(usable["version"]) != WANTED or not VENV_MADE.exists():
        run(LOGS / "setup-venv.log", python, "-I", "-m", "venv", "--clear", str(VENV))
        VENV_MADE.touch()
    constraints = str(ROOT / "requirements-dev.txt")
    run(
        LOGS / "setup-rich.log",
        *(str(VENV_PYTHON), "-I", "-m", "pip", "install", "--quiet", "--no-input"),
        *("--constraint", constraints, "rich"),
    )


def main() -> None:
    """Bring the installations up to date; return at once when up to date."""
    LOGS.mkdir(parents=True, exist_ok=True)
    # Two make targets at the same time must not install into the same place.
    with (ROOT / "build/setup.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if (
            os.access(str(VENV_PYTHON), os.X_OK)
            and is_installed(PYTHON_STAMP, PYTHON_SOURCES)
            and is_installed(AZURITE_STAMP, AZURITE_SOURCES)
        ):
            return
        facts = find_python()
        missing = find_missing(facts)
        if facts is None or missing:
            sys.exit(explain(missing))
        # A user's setting for projects elsewhere, which would install outside of .venv.
        os.environ["PIP_USER"] = "0"
        os.environ["PIP_DISABLE_PIP_VERSION_CHECK"] = "1"
        print("Setting up Vouchsafe in .venv", flush=True)
        make_venv(facts["path"])
        status = subprocess.call([str(VENV_PYTHON), "-m", "infra.packages"], cwd=str(ROOT))
        if status:
            sys.exit(status)


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit("\nInterrupted. The next run takes up the set-up where it stopped.")
