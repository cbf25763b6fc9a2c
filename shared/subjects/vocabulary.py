"""Words around names, in their plain spelling (see `folding.spell`)."""

from typing import Final


def _words(*texts: str) -> frozenset[str]:
    return frozenset(word for text in texts for word in text.split())


HONORIFICS: Final = _words(
    "dr drs prof professor mr mrs ms mx miss sir dame lady lord herr herrn frau fraulein monsieur",
    "madame mademoiselle mme mlle dott dssa signor signora sig senor senora senorita sra srta",
    "gospodin gospozha pan pani г-н г-жа",
)
"""Titles in front of a name."""

SUFFIXES: Final = _words("phd md msc mba llm esq jr sr junior senior ii iii iv")
"""Degrees and numbers behind a name."""

TITLES: Final = (
    HONORIFICS
    | SUFFIXES
    | _words(
        "dipl ing mag med jur rer habil hc capt cpt sgt ssg lt maj gen cmdr rev",
        "nee born geb geborene geborener урожденная урожденнаи",
    )
) - _words("pan sig")
"""Words that count for nothing within a name of a text."""

JOINERS: Final = _words("and und et og och ja en ve и та і και y e i or oder with mit avec con")
"""Words between two persons."""

PARTICLES: Final = _words(
    "van von vom der den de del della di da do dos das du des la le el al ul ur ad ar as ash at",
    "ter ten te zu zum zur af av bin ben ibn bint abu y e o d l i dei degli los las san st",
)
"""Small words within surnames. A name without its particles is `likely`."""

MAIDEN: Final = (
    r"(?<=\s)\(?(?:n[ée]e|né|geb\.?|geboren(?:er?)?|born|rozen[áa]|z domu|f[øö]dt|född|nata|"
    r"урожд\.?|урожд[её]нная)\s+(?=\S)"
)
"""The words in front of a name before marriage."""

ALIASES: Final = r"\s*[;|/]\s*|\s+(?:aka|a\.k\.a\.|alias|formerly|vulgo|genannt|dit|dite)\s+"
"""The words and marks between two names of one person in an identifier."""
