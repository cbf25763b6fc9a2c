"""Install the Python packages and Azurite into this clone; the second half of `infra/setup.py`.

Runs in `.venv`, which has only rich at first. With the argument `lock` the program locks Azurite's
latest version instead, for `make lock`.
"""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path

from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn, TimeElapsedColumn

from infra import setup

LOG_TAIL_LINES = 20

# Called for each line that an installer prints.
OnLine = Callable[[str], None]

PIP = (sys.executable, "-I", "-m", "pip", "install", "--no-input", "--progress-bar", "off")
PIP_ENVIRONMENT = {
    # python-qpid-proton would link the OpenSSL and SASL that pkg-config finds. The broker is
    # loopback only and uses neither library. Without both, the build is the same on every machine.
    "PKG_CONFIG_LIBDIR": os.devnull,
    "PKG_CONFIG_PATH": "",
}


class InstallError(Exception):
    """An installer failed. The message ends with the log's last lines and names the whole log."""


def install_python(on_line: OnLine) -> None:
    """Install the packages of the app and its development, pinned in two requirements files."""
    files = [part for source in setup.PYTHON_SOURCES for part in ("--requirement", str(source))]
    _run([*PIP, *files], "setup-python.log", PIP_ENVIRONMENT, on_line)


def install_azurite(on_line: OnLine) -> None:
    """Install Azurite at the locked version."""
    _npm(["ci"], "setup-azurite.log", on_line)


def lock_azurite(on_line: OnLine) -> None:
    """Lock the latest version of Azurite and its dependencies, without installing."""
    command = ["install", "azurite@latest", "--save-exact", "--package-lock-only"]
    _npm(command, "lock-azurite.log", on_line)


def _npm(arguments: Sequence[str], log_name: str, on_line: OnLine) -> None:
    """Run the npm of the Python packages, with the Node of the Python packages."""
    # Not before: `install_python` installs the package with Node.
    from infra.local.node import NODE, NPM

    environment = {
        # npm's own helpers look for `node` here.
        "PATH": f"{NODE.parent}{os.pathsep}{os.environ['PATH']}",
        "NO_UPDATE_NOTIFIER": "1",
    }
    command = [str(NODE), str(NPM), *arguments, "--prefix", str(setup.AZURITE)]
    _run(command, log_name, environment, on_line)


STEPS = (
    ("Python packages", setup.PYTHON_STAMP, setup.PYTHON_SOURCES, install_python),
    ("Azurite", setup.AZURITE_STAMP, setup.AZURITE_SOURCES, install_azurite),
)


def install(console: Console) -> None:
    """Run the steps whose sources have changed, and stamp each step after completion."""
    for name, stamp, sources, install_step in STEPS:
        if setup.is_installed(stamp, sources):
            continue
        stamp.unlink(missing_ok=True)
        with _shown(console, f"Installing {name}") as on_line:
            install_step(on_line)
        stamp.write_text(setup.fingerprint(sources))


def main() -> None:
    """Install or lock. After a failure print the installer's last lines, exit with status 1."""
    console = Console()
    try:
        if sys.argv[1:] == ["lock"]:
            with _shown(console, "Locking Azurite") as on_line:
                lock_azurite(on_line)
        else:
            install(console)
    except InstallError as error:
        sys.exit(str(error))


@contextmanager
def _shown(console: Console, step: str) -> Iterator[OnLine]:
    """Show a step's progress: live on a terminal, as two plain lines elsewhere."""
    if not console.is_terminal:
        console.print(f"{step} ...")
        yield lambda _: None
        console.print(f"{step}: done")
        return
    columns = (
        TextColumn("{task.description}"),
        BarColumn(pulse_style="cyan"),
        TimeElapsedColumn(),
        TextColumn("[dim]{task.fields[line]}"),
    )
    with Progress(*columns, console=console) as progress:
        task = progress.add_task(step, total=None, line="")
        yield lambda line: progress.update(task, line=line[: console.width // 2])
        progress.update(task, total=1, completed=1, line="done")


def _run(
    command: Sequence[str], log_name: str, environment: Mapping[str, str], on_line: OnLine
) -> None:
    log = setup.LOGS / log_name
    with (
        log.open("w") as output,
        subprocess.Popen(
            command,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            cwd=setup.ROOT,
            env={**os.environ, **environment},
        ) as process,
    ):
        for line in process.stdout or ():
            output.write(line)
            on_line(line.strip())
    if process.returncode:
        raise InstallError(_failure(Path(command[0]).name, log))


def _failure(program: str, log: Path) -> str:
    tail = log.read_text(errors="replace").splitlines()[-LOG_TAIL_LINES:]
    return "\n".join([*tail, f"{program} failed; all of its output is in {log}"])


if __name__ == "__main__":
    try:
        main()
    except KeyboardInterrupt:
        sys.exit(130)
