"""The pages for people: every link leads somewhere, every page is found, every target is there."""

import re
import subprocess
from itertools import count
from pathlib import Path

import pytest

from infra.docs.markdown import slug

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
INDEX = DOCS / "README.md"
README = ROOT / "README.md"
PAGES = [README, *sorted(DOCS.rglob("*.md")), ROOT / "samples/README.md"]
FENCE = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
HEADING = re.compile(r"^#{1,6} (.*)$", re.MULTILINE)


def prose(page):
    """The text of a page without its blocks of code."""
    return FENCE.sub("", page.read_text(encoding="utf-8"))


def links(page):
    """The targets of a page's relative links: the file, and the anchor or nothing."""
    for target in LINK.findall(prose(page)):
        if "://" not in target:
            path, _, anchor = target.partition("#")
            yield (page.parent / path).resolve() if path else page, anchor


def anchors(page):
    """The anchors of a page's headings; the second heading of a name ends in -1, and so on."""
    found = set()
    for heading in HEADING.findall(prose(page)):
        first = slug(LINK.sub(lambda match: match[0].partition("]")[0][1:], heading))
        names = (first if number == 0 else f"{first}-{number}" for number in count())
        found.add(next(name for name in names if name not in found))
    return found


@pytest.mark.parametrize(
    ("heading", "anchor"),
    [
        ("Read on", "read-on"),
        ("`GET /tenants/{tenant}`", "get-tenantstenant"),
        ("scan.result-missing", "scanresult-missing"),
        ("`signature_age` — in days", "signature_age--in-days"),
        ("What's left?", "whats-left"),
    ],
)
def test_an_anchor_is_the_one_that_github_gives_a_heading(heading, anchor):
    assert slug(heading) == anchor


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_every_relative_link_leads_to_a_file_and_a_heading_of_the_repository(page):
    for target, anchor in links(page):
        assert target.is_relative_to(ROOT), target
        assert target.exists(), target
        assert not anchor or anchor in anchors(target), f"{target}#{anchor}"


def test_the_index_leads_to_every_document():
    listed = {target for target, _ in links(INDEX)}
    documents = {path for path in DOCS.rglob("*") if path.is_file()}
    assert documents - listed == {INDEX}


def test_the_readme_is_short_and_leads_to_the_index():
    assert len(README.read_text(encoding="utf-8").splitlines()) <= 150
    assert INDEX in {target for target, _ in links(README)}


def test_every_make_target_that_a_page_names_is_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = set(re.findall(r"^([a-z-]+):", makefile, re.MULTILINE))
    commands = re.findall(r"^make ([a-z-]+)", README.read_text(encoding="utf-8"), re.MULTILINE)
    assert commands == ["demo", "test"]
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        named = set(re.findall(r"(?:^|`)make ([a-z-]+)", text, re.MULTILINE))
        assert named <= targets, page


def test_every_command_block_is_a_shell_script():
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for script in re.findall(r"^```(?:sh|bash)\n(.*?)^```$", text, re.MULTILINE | re.DOTALL):
            # A word in angle brackets stands for a value of the reader's.
            checked = re.sub(r"<[a-z ]+>", "value", script)
            done = subprocess.run(
                ["bash", "-n"], input=checked, capture_output=True, text=True, check=False
            )
            assert done.returncode == 0, f"{page}: {done.stderr}\n{script}"
