"""Processes that a test waits for: a zombie has ended, a running one has not."""

import subprocess
import sys

import psutil

from tests.processes import has_ended, still_running


def test_a_killed_process_has_ended_before_its_parent_collects_it() -> None:
    with subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE) as child:
        process = psutil.Process(child.pid)
        assert not has_ended(process)
        process.kill()
        assert still_running([process]) == []
        assert process.status() == psutil.STATUS_ZOMBIE
    assert has_ended(process)
