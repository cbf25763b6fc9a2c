"""Write the documents that are made from the code into `docs/`, or check them against the code.

python -m infra.docs            write every document
python -m infra.docs --check    name each document that differs from the code, and exit with 1
"""

import argparse
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from infra.docs import http, messages, problems, settings, stores

FOLDER: Final = Path(__file__).parents[2] / "docs"

DOCUMENTS: Final[Mapping[str, Callable[[], bytes]]] = {
    "reference/openapi.json": http.openapi,
    "reference/asyncapi.json": messages.asyncapi,
    "reference/http.md": http.page,
    "reference/messages.md": messages.page,
    "reference/problems.md": problems.page,
    "reference/settings.md": settings.page,
    "reference/stores.md": stores.page,
    "explanation/privacy.md": stores.privacy_page,
}
"""The function that makes each document, by the document's path below `docs/`."""


def outdated(folder: Path) -> list[str]:
    """Return the paths of the documents that `folder` lacks or holds in another version."""
    return [
        path
        for path, make in DOCUMENTS.items()
        if not (folder / path).is_file() or (folder / path).read_bytes() != make()
    ]


def write(folder: Path) -> None:
    """Write every document into `folder`."""
    for path, make in DOCUMENTS.items():
        (folder / path).parent.mkdir(parents=True, exist_ok=True)
        (folder / path).write_bytes(make())


def main() -> None:
    """Write or check the documents, as the arguments say."""
    parser = argparse.ArgumentParser(prog="python -m infra.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 on drift")
    if not parser.parse_args().check:
        write(FOLDER)
    elif drifted := outdated(FOLDER):
        sys.exit(f"Not what the code makes: docs/{', docs/'.join(drifted)}. Run: make docs")


if __name__ == "__main__":
    main()
