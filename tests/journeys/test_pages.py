"""The commands of the tutorial and the how-tos, run as the pages have the commands.

One shell runs the pages in order on a stack of its own; each page goes on from the pages before. A
`text` block behind a `bash` block has lines that the commands print, in the same order.
"""

import json
import re
import subprocess
from itertools import pairwise

import pytest

from infra.local.settings import ROOT
from infra.local.stack import Stack

DOCS = ROOT / "docs"
PAGES = (
    "tutorial.md",
    "how-to/tenant-uploads.md",
    "how-to/tenant-consents.md",
    "how-to/support-engineer.md",
    "how-to/operator.md",
    "how-to/operator-incidents.md",
    "how-to/dpo-breaches.md",
    "how-to/tenant-breaches.md",
    "how-to/operator-quarantine.md",
    "how-to/operator-rescans.md",
    "how-to/operator-rereads.md",
    "how-to/operator-messages.md",
    "how-to/operator-maintenance.md",
    "how-to/operator-backups.md",
    "how-to/operator-settings.md",
    "how-to/operator-keys.md",
    "how-to/operator-data-keys.md",
    "how-to/operator-damaged-log.md",
    # Behind all others: an entry is redacted.
    "how-to/tenant-log.md",
)
BLOCK = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
END = "@@ end of block"


def blocks(page):
    """Each command block of a page, and the lines that the page shows behind the block."""
    text = (DOCS / page).read_text(encoding="utf-8")
    found = [match.groups() for match in BLOCK.finditer(text)] + [("", "")]
    return [
        (code, shown.splitlines() if kind == "text" else [])
        for (language, code), (kind, shown) in pairwise(found)
        if language == "bash"
    ]


ALL = [(page, number) for page in PAGES for number in range(len(blocks(page)))]


@pytest.fixture(scope="module")
def printed(tmp_path_factory):
    """What each block printed, by page and number."""
    directory = tmp_path_factory.mktemp("stack")
    with Stack(directory, in_memory=True) as stack:
        info = directory / "stack.json"
        info.write_text(json.dumps(stack.info))
        commands = [
            f"{code.replace('STACK=build/stack.json', f'STACK={info}')}\necho '{END}'"
            for page in PAGES
            for code, _ in blocks(page)
        ]
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", "\n".join(commands)],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=300,
            check=False,
        )
    assert done.returncode == 0, done.stdout + done.stderr
    return dict(zip(ALL, done.stdout.split(f"{END}\n")[:-1], strict=True))


def test_every_page_with_commands_is_run():
    pages = {path.relative_to(DOCS).as_posix() for path in DOCS.rglob("*.md")}
    assert {page for page in pages if blocks(page)} == set(PAGES)


def test_the_tutorial_shows_what_its_commands_print():
    assert len(blocks("tutorial.md")) >= 10
    assert sum(bool(shown) for _, shown in blocks("tutorial.md")) >= 8


@pytest.mark.parametrize(("page", "number"), ALL)
def test_a_block_prints_what_its_page_shows(printed, page, number):
    lines = iter(printed[page, number].splitlines())
    for shown in blocks(page)[number][1]:
        pattern = re.escape(shown.strip()).replace("…", ".*")
        assert any(re.fullmatch(rf"\s*{pattern},?", line) for line in lines), (
            f"{shown!r} does not come in its turn in:\n{printed[page, number]}"
        )
