"""Print recall and precision over the cases: `python -m tests.subjects.cases`."""

import sys
from collections import Counter
from typing import Final

from shared.subjects.matching import Certainty, Matcher
from tests.subjects.cases import APART, FOUND

_ORDER: Final[dict[Certainty | None, int]] = {"named": 0, "likely": 1, "possible": 2, None: 3}


def certainty(identifier: str, text: str) -> tuple[Certainty | None, str]:
    """Return how surely a text has an identifier, and how."""
    matches = Matcher([identifier]).match("dc:description", text)
    return (matches[0].certainty, matches[0].how) if matches else (None, "")


def main() -> int:
    """Print the figures and every case that is decided otherwise; return the exit code."""
    lines, counts = [], Counter[str]()
    for language, identifier, text, wanted in FOUND:
        decided, how = certainty(identifier, text)
        counts["found"] += wanted != "possible" and decided in {"named", "likely"}
        counts["to find"] += wanted != "possible"
        if decided != wanted:
            lines.append(f"{language}: {identifier!r} in {text!r}: {decided} {how}, not {wanted}")
    for language, identifier, text, most in APART:
        decided, how = certainty(identifier, text)
        counts["false"] += decided == "named"
        counts["in review"] += decided == "likely" and most != "likely"
        if _ORDER[decided] < _ORDER[most]:
            lines.append(f"{language}: {identifier!r} in {text!r}: {decided} {how}, at most {most}")
    named = sum(certainty(identifier, text)[0] == "named" for _, identifier, text, _ in FOUND)
    write = sys.stdout.write
    write("".join(f"{line}\n" for line in lines))
    write(f"{len(FOUND)} ways of writing, {len({case[0] for case in FOUND})} kinds\n")
    write(f"recall: {counts['found']} of {counts['to find']} found as named or likely\n")
    write(f"precision of named: {named} of {named + counts['false']}\n")
    write(f"{len(APART)} other texts: {counts['in review']} likely that should be less\n")
    return bool(lines)


if __name__ == "__main__":
    sys.exit(main())
