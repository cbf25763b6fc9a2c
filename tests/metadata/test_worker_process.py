"""The process in which files are parsed: what it dies of costs one file, and it outlives nobody."""

import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import psutil
import pytest

from shared.metadata import worker_process as module
from shared.metadata.worker.result import Metadata
from shared.metadata.worker_process import WorkerProcess
from tests.metadata.test_block_sizes import HEAD, MANY, TAIL, tiff_with_xmp

ROOT = Path(__file__).parents[2]
SAMPLE = ROOT / "samples/coffee.webp"
SLOW = tiff_with_xmp(f"{HEAD}{MANY}>{TAIL}".encode())


@pytest.fixture
def reader() -> Iterator[WorkerProcess]:
    made = WorkerProcess()
    yield made
    made.close()


def people(reader: WorkerProcess) -> int:
    with SAMPLE.open("rb") as file:
        return len(reader.read(b"P", file.fileno()).people)


def read_while(reader: WorkerProcess, path: Path, act: signal.Signals) -> Metadata:
    """What comes of the file at `path` when the process gets a signal while it reads it."""
    answers: list[Metadata] = []
    with path.open("rb") as file:
        thread = threading.Thread(target=lambda: answers.append(reader.read(b"P", file.fileno())))
        thread.start()
        while path not in open_files(reader.pid):
            assert thread.is_alive()
        os.kill(reader.pid, act)
        thread.join()
    [answer] = answers
    return answer


def open_files(pid: int | None) -> list[Path]:
    return [file.readlink() for file in Path(f"/proc/{pid}/fd").iterdir()]


@pytest.fixture
def slow(tmp_path) -> Path:
    """A picture that takes longer than it is given."""
    path = tmp_path / "slow.tif"
    path.write_bytes(SLOW)
    return path


def test_a_process_reads_many_files(reader):
    assert reader.pid is None
    assert people(reader) == 3
    first = reader.pid
    assert [people(reader) for _ in range(50)] == [3] * 50
    assert reader.pid == first


@pytest.mark.parametrize(
    ("act", "note"),
    [
        (signal.SIGSEGV, "metadata-unreadable"),
        (signal.SIGBUS, "metadata-unreadable"),
        (signal.SIGABRT, "metadata-too-large"),
        (signal.SIGKILL, "metadata-too-large"),
    ],
)
def test_a_crash_costs_one_file(reader, slow, act, note):
    assert people(reader) == 3
    first = reader.pid
    assert read_while(reader, slow, act) == Metadata(note=note)
    assert people(reader) == 3
    assert reader.pid != first


@pytest.mark.parametrize("act", [signal.SIGKILL, signal.SIGTERM])
def test_one_that_others_end_while_it_reads_costs_nothing(reader, monkeypatch, act):
    assert people(reader) == 3
    ended = reader.pid
    # Stopped, it cannot answer before the signal.
    os.kill(ended, signal.SIGSTOP)
    received = module._received

    def receive(other):
        if reader.pid == ended:
            os.kill(ended, act)
            os.kill(ended, signal.SIGCONT)
        return received(other)

    monkeypatch.setattr(module, "_received", receive)
    assert people(reader) == 3
    assert reader.pid != ended


def test_a_process_that_hangs_is_ended(reader, monkeypatch):
    assert people(reader) == 3
    hung = reader.pid
    # Stopped, the process never answers, so only the hung process meets the short patience.
    os.kill(hung, signal.SIGSTOP)
    received = module._received

    def receive(other):
        assert other.gettimeout() == module._GIVE_UP
        if reader.pid == hung:
            other.settimeout(0.01)
        return received(other)

    monkeypatch.setattr(module, "_received", receive)
    with SAMPLE.open("rb") as file:
        assert reader.read(b"P", file.fileno()) == Metadata(note="metadata-too-large")
    assert not psutil.pid_exists(hung)
    assert people(reader) == 3


def test_one_that_was_ended_while_it_waited_costs_nothing(reader):
    assert people(reader) == 3
    waiting = psutil.Process(reader.pid)
    waiting.kill()
    while waiting.status() != psutil.STATUS_ZOMBIE:
        pass
    assert people(reader) == 3


def test_one_that_has_grown_is_followed_by_another(reader, tmp_path):
    path = tmp_path / "large.tif"
    filler = f"<dc:format>{'x' * 16_000_000}</dc:format>"
    path.write_bytes(tiff_with_xmp(f"{HEAD}>{filler}{TAIL}".encode()))
    pids = set()
    for _ in range(12):
        with path.open("rb") as file:
            assert reader.read(b"P", file.fileno()) == Metadata()
        pids.add(reader.pid)
        assert reader.pid is None or psutil.Process(reader.pid).memory_info().rss < 120 * 2**20
    # It goes when it has answered.
    assert None in pids
    assert people(reader) == 3


def test_the_process_gets_no_secret(reader, monkeypatch):
    monkeypatch.setenv("VOUCHSAFE_TEST_SECRET", "a connection string")
    assert people(reader) == 3
    environment = psutil.Process(reader.pid).environ()
    assert "VOUCHSAFE_TEST_SECRET" not in environment
    assert set(environment) <= {"PATH", "LD_LIBRARY_PATH", "PYTHONHOME", "PYTHONPATH", "LC_CTYPE"}


def test_the_process_ends_with_the_worker_that_is_killed():
    code = """
import sys, time
from shared.metadata.worker_process import WorkerProcess
reader = WorkerProcess()
with open(sys.argv[1], "rb") as file:
    assert len(reader.read(b"P", file.fileno()).people) == 3
print(reader.pid, flush=True)
time.sleep(600)
"""
    with subprocess.Popen(
        [sys.executable, "-c", code, str(SAMPLE)], cwd=ROOT, stdout=subprocess.PIPE
    ) as worker:
        reading = psutil.Process(int(worker.stdout.readline()))
        assert reading.ppid() == worker.pid
        worker.kill()
        worker.wait()
        reading.wait()


def test_the_process_ends_with_the_worker_that_stops():
    code = """
import sys
from shared.metadata.parsing import _quick, read
with open(sys.argv[1], "rb") as file:
    assert len(read(file).people) == 3
print(_quick.pid)
"""
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", code, str(SAMPLE)],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
    )
    assert not psutil.pid_exists(int(done.stdout))
    assert done.stderr == ""
