"""The supervisor that keeps the stack of `make up` running in the background, and its client.

One supervisor runs for a directory. The supervisor holds a lock in the directory for its whole
life. The kernel releases the lock after any end, so leftovers of a crash or a reboot never pass for
a supervisor. The supervisor answers on a Unix socket. One JSON line asks for the stack to start.
The supervisor reports in JSON lines; the last line has the stack's `info` or an `error`.
"""

import contextlib
import fcntl
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, TextIO

from infra.local.errors import StackError
from infra.local.ports import Ports
from infra.local.programs import PROCESSES
from infra.local.settings import ROOT
from infra.local.stack import Stack

DIRECTORY = ROOT / "build/stack"
INFO_FILE = ROOT / "build/stack.json"

# Unix socket paths are short (104 bytes on macOS), and clones may lie deep. The socket is therefore
# always opened from within its directory.
SOCKET = "control.sock"
LOCK = "supervisor.lock"
CHECK_SECONDS = 1.0
ANSWER_SECONDS = 10.0
LOCK_ATTEMPTS = 40
STOP_SECONDS = 60.0
ENDED = "The stack's supervisor ended before the stack was up."


def up(
    ports: Ports,
    report: Callable[[str], None],
    *,
    processes: Sequence[str] = PROCESSES,
    directory: Path = DIRECTORY,
    info_file: Path = INFO_FILE,
) -> dict[str, Any]:
    """Start the stack's missing processes, and return `info` once every process serves.

    `processes` are the processes to start; without `host`, a different Functions host can serve.
    Raises StackError when the stack does not start. After a failure or an interrupt of a first
    start no process runs.
    """
    directory.mkdir(parents=True, exist_ok=True)
    started = None if _holder(directory) else _spawn(directory, info_file, ports, processes)
    try:
        with _connect(directory, started) as connection:
            return _ask_up(connection, ports, processes, report)
    except BaseException:
        if started is not None:
            started.terminate()
            started.wait()
        raise


def down(*, directory: Path = DIRECTORY, info_file: Path = INFO_FILE) -> bool:
    """Stop the stack and wait until the stack is gone; return False for no running stack.

    Raises StackError when the stack does not end within a minute.
    """
    pid = _holder(directory)
    if pid is not None:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, signal.SIGTERM)
        deadline = time.monotonic() + STOP_SECONDS
        while _holder(directory) is not None:
            if time.monotonic() > deadline:
                raise StackError(f"The stack's supervisor, process {pid}, does not end.")
            time.sleep(CHECK_SECONDS / 10)
    info_file.unlink(missing_ok=True)
    return pid is not None


def serve(ports: Ports, processes: Sequence[str], directory: Path, info_file: Path) -> None:
    """Run as the supervisor: start the stack on request, until SIGTERM."""
    signal.signal(signal.SIGTERM, _end)
    with _hold(directory), _listen(directory) as listener:
        stack = Stack(directory, ports=ports, processes=processes)
        try:
            _serve(stack, listener, info_file)
        finally:
            # A second SIGTERM must not interrupt the stopping.
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            stack.stop()
            info_file.unlink(missing_ok=True)
            (directory / SOCKET).unlink(missing_ok=True)


def _serve(stack: Stack, listener: socket.socket, info_file: Path) -> None:
    known_dead = set(stack.dead())
    came_up = False
    while True:
        try:
            connection, _ = listener.accept()
        except TimeoutError:
            dead = set(stack.dead())
            for name in sorted(dead - known_dead):
                print(f"{name} has died; `make up` starts it again")
            known_dead = dead
            continue
        with connection:
            connection.settimeout(ANSWER_SECONDS)
            answer = _bring_up(stack, connection, info_file)
        if "error" in answer and not came_up:
            return
        came_up = True
        known_dead = set(stack.dead())


def _bring_up(stack: Stack, connection: socket.socket, info_file: Path) -> dict[str, Any]:
    with connection.makefile("r") as stream:

        def send(line: dict[str, Any]) -> None:
            # Unbuffered: closing a buffer would fail again on bytes that a vanished client did not
            # take.
            connection.sendall(json.dumps(line).encode() + b"\n")

        answer: dict[str, Any]
        try:
            asked = json.loads(stream.readline())
            if Ports(**asked["ports"]) != stack.ports:
                raise StackError("The stack runs on other ports. Stop it first: make down")
            running = stack.info["processes"]
            if set(asked["processes"]) != running.keys():
                raise StackError(
                    f"The stack was started as {', '.join(running)}. Stop it first: make down"
                )
            stack.start(report=lambda text: send({"report": text}))
            answer = {"info": {**stack.info, "supervisor": os.getpid()}}
            _write_info(info_file, answer["info"])
        except StackError as error:
            answer = {"error": str(error)}
        except (OSError, ValueError) as error:
            # The client has gone away, or was no client of this protocol.
            return {"error": str(error)}
        with contextlib.suppress(OSError):
            send(answer)
        return answer


def _ask_up(
    connection: socket.socket,
    ports: Ports,
    processes: Sequence[str],
    report: Callable[[str], None],
) -> dict[str, Any]:
    try:
        with connection.makefile("rw") as stream:
            stream.write(json.dumps({"ports": asdict(ports), "processes": processes}) + "\n")
            stream.flush()
            for line in stream:
                answer = json.loads(line)
                if "error" in answer:
                    raise StackError(answer["error"])
                if "info" in answer:
                    return dict(answer["info"])
                report(answer["report"])
    except ConnectionError as error:
        raise StackError(f"{ENDED} ({error})") from error
    raise StackError(ENDED)


def _spawn(
    directory: Path, info_file: Path, ports: Ports, processes: Sequence[str]
) -> subprocess.Popen[bytes]:
    log = directory / "logs/supervisor.log"
    log.parent.mkdir(parents=True, exist_ok=True)
    options = (str(directory), str(info_file), json.dumps(asdict(ports)), *processes)
    with log.open("ab") as output:
        return subprocess.Popen(
            [sys.executable, "-m", "infra.local", "supervise", *options],
            stdin=subprocess.DEVNULL,
            stdout=output,
            stderr=subprocess.STDOUT,
            cwd=ROOT,
            # Detached from this terminal: closing the terminal must not end the stack.
            start_new_session=True,
        )


def _connect(directory: Path, started: subprocess.Popen[bytes] | None) -> socket.socket:
    while True:
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
        try:
            with contextlib.chdir(directory):
                connection.connect(SOCKET)
            return connection
        except (FileNotFoundError, ConnectionRefusedError):
            connection.close()
        ended = _holder(directory) is None if started is None else started.poll() is not None
        if ended:
            log = directory / "logs/supervisor.log"
            raise StackError(f"The stack's supervisor did not start; see {log}")
        time.sleep(CHECK_SECONDS / 20)


@contextmanager
def _listen(directory: Path) -> Iterator[socket.socket]:
    (directory / SOCKET).unlink(missing_ok=True)
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as listener:
        with contextlib.chdir(directory):
            listener.bind(SOCKET)
        listener.listen()
        listener.settimeout(CHECK_SECONDS)
        yield listener


@contextmanager
def _hold(directory: Path) -> Iterator[None]:
    """Hold the directory's lock, with our process id in the file for `down` to signal."""
    with (directory / LOCK).open("a+") as lock:
        _lock_exclusively(lock)
        lock.truncate(0)
        lock.write(str(os.getpid()))
        lock.flush()
        yield


def _lock_exclusively(lock: TextIO) -> None:
    # Several attempts: `_holder`, which only looks, holds the lock for a moment too.
    for _ in range(LOCK_ATTEMPTS):
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            time.sleep(CHECK_SECONDS / 20)
        else:
            return
    raise StackError("Another supervisor runs this stack.")


def _holder(directory: Path) -> int | None:
    """Return the process id of the directory's supervisor; None without a supervisor."""
    if not (directory / LOCK).exists():
        return None
    with (directory / LOCK).open() as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return int(lock.read() or 0) or None
    return None


def _write_info(info_file: Path, info: dict[str, Any]) -> None:
    written = info_file.with_suffix(".tmp")
    written.write_text(json.dumps(info, indent=2) + "\n")
    written.replace(info_file)


def _end(*_: object) -> None:
    # Once only: the stopping follows, and a second signal must not interrupt the stopping.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise SystemExit(0)
