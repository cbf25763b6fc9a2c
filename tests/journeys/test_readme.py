"""The README's commands, run as they stand there, and what it says that they print."""

import json
import re
import subprocess
from itertools import pairwise

import pytest

from infra.local.settings import ROOT
from infra.local.stack import Stack

README = (ROOT / "README.md").read_text(encoding="utf-8")
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "@@ end of block"


def blocks():
    """Each command block, and the lines that the README shows after it."""
    found = [match.groups() for match in BLOCK.finditer(README)] + [("", "")]
    return [
        (code, shown.splitlines() if kind == "text" else [])
        for (language, code), (kind, shown) in pairwise(found)
        if language == "bash"
    ]


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each block printed, on a stack of its own."""
    directory = tmp_path_factory.mktemp("stack")
    with Stack(directory, in_memory=True) as stack:
        info = directory / "stack.json"
        info.write_text(json.dumps(stack.info))
        commands = [
            f"{code.replace('STACK=build/stack.json', f'STACK={info}')}\necho '{END}'"
            for code, _ in blocks()
        ]
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=180,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout.split(f"{END}\n")[:-1]


def test_there_are_commands_and_they_show_what_they_print():
    assert len(blocks()) >= 10
    assert sum(bool(shown) for _, shown in blocks()) >= 8


@pytest.mark.parametrize("number", range(len(blocks())))
def test_a_block_prints_what_the_readme_shows(printed, number):
    lines = iter(printed[number].splitlines())
    for shown in blocks()[number][1]:
        pattern = re.escape(shown.strip()).replace("…", ".*")
        assert any(re.fullmatch(rf"\s*{pattern},?", line) for line in lines), (
            f"{shown!r} does not come in its turn in:\n{printed[number]}"
        )
