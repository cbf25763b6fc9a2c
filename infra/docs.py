"""Write the documents made from the code into `docs/`, or check the documents in `docs/`.

python -m infra.docs            write docs/openapi.json and docs/asyncapi.json
python -m infra.docs --check    name each outdated document, and exit with status 1
"""

import argparse
import sys
from pathlib import Path
from typing import Final

FOLDER: Final = Path(__file__).parents[1] / "docs"


def made() -> dict[str, bytes]:
    """Return the documents made from the code, by file name."""
    from functions.documents import asyncapi, openapi

    return {"openapi.json": openapi(), "asyncapi.json": asyncapi()}


def outdated(folder: Path) -> list[str]:
    """Return the names of the documents in `folder` that are missing or outdated."""
    return [
        name
        for name, content in made().items()
        if not (folder / name).is_file() or (folder / name).read_bytes() != content
    ]


def main() -> None:
    """Write or check the documents, by the arguments."""
    parser = argparse.ArgumentParser(prog="python -m infra.docs", description=__doc__)
    parser.add_argument("--check", action="store_true", help="write nothing; exit with 1 on drift")
    if parser.parse_args().check:
        drifted = outdated(FOLDER)
        if drifted:
            sys.exit(f"Not what the code makes: docs/{', docs/'.join(drifted)}. Run: make docs")
        return
    FOLDER.mkdir(exist_ok=True)
    for name, content in made().items():
        (FOLDER / name).write_bytes(content)


if __name__ == "__main__":
    main()
