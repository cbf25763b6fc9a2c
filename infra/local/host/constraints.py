"""Route constraints: the values that a parameter such as ``{id:int:min(1)}`` takes.

The constraints are ASP.NET Core's ("Routing in ASP.NET Core", route constraints,
learn.microsoft.com). Numbers are read by .NET's rules in the invariant culture. ``datetime`` is
missing, because .NET's rules for dates are too many to repeat.
"""

import re
from collections.abc import Callable

type Constraint = Callable[[str], bool]

INTEGER = re.compile(r"\s*[+-]?\d+\s*", re.ASCII)
DECIMAL = re.compile(r"\s*[+-]?(?:\d[\d,]*\.?\d*|\.\d+)[+-]?\s*", re.ASCII)
FLOAT = re.compile(
    r"\s*(?:[+-]?(?:\d[\d,]*\.?\d*|\.\d+)(?:e[+-]?\d+)?|-?Infinity|NaN)\s*",
    re.ASCII | re.IGNORECASE,
)
GUID = re.compile(
    r"[0-9a-f]{32}|(?P<open>[{(])?[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}(?(open)[)}])",
    re.IGNORECASE,
)


def parse(text: str) -> list[Constraint]:
    """Return the constraints in ``:int:range(1,9)``. Raise ValueError naming a bad constraint."""
    return [_constraint(part) for part in _split(text)]


def _split(text: str) -> list[str]:
    """Split a text at the colons outside parentheses."""
    parts: list[str] = []
    depth = 0
    for sign in text:
        if sign == ":" and depth == 0:
            parts.append("")
            continue
        depth += {"(": 1, ")": -1}.get(sign, 0)
        parts[-1] += sign
    return parts


def _constraint(text: str) -> Constraint:
    name, parenthesis, rest = text.partition("(")
    given = rest.removesuffix(")") if parenthesis else None
    name = name.lower()
    try:
        if given is None:
            return PLAIN[name]
        if name == "regex":
            return _regex(given)
        return WITH_NUMBERS[name, given.count(",") + 1](*map(int, given.split(",")))
    except (KeyError, ValueError, re.error):
        raise ValueError(f"constraint {text}") from None


def _regex(pattern: str) -> Constraint:
    # A template doubles braces. .NET's own additions to the regex syntax do not compile here.
    compiled = re.compile(pattern.replace("{{", "{").replace("}}", "}"), re.IGNORECASE)
    return lambda value: compiled.search(value) is not None


def _integer(low: int, high: int) -> Constraint:
    return lambda value: INTEGER.fullmatch(value) is not None and low <= int(value) <= high


def _length(low: int, high: int) -> Constraint:
    # .NET counts UTF-16 code units.
    return lambda value: low <= len(value.encode("utf-16-le")) // 2 <= high


def _matching(pattern: re.Pattern[str]) -> Constraint:
    return lambda value: pattern.fullmatch(value) is not None


LONG = (-(2**63), 2**63 - 1)
MANY = 2**31 - 1
PLAIN: dict[str, Constraint] = {
    "alpha": _matching(re.compile(r"[A-Za-z]*")),
    "bool": _matching(re.compile(r"\s*(?:true|false)\s*", re.IGNORECASE)),
    "decimal": _matching(DECIMAL),
    "double": _matching(FLOAT),
    "float": _matching(FLOAT),
    "guid": _matching(GUID),
    "int": _integer(-(2**31), 2**31 - 1),
    "long": _integer(*LONG),
    "required": bool,
}
# The constraints with numbers, by name and number of arguments.
WITH_NUMBERS: dict[tuple[str, int], Callable[..., Constraint]] = {
    ("length", 1): lambda length: _length(length, length),
    ("length", 2): _length,
    ("max", 1): lambda high: _integer(LONG[0], high),
    ("maxlength", 1): lambda high: _length(0, high),
    ("min", 1): lambda low: _integer(low, LONG[1]),
    ("minlength", 1): lambda low: _length(low, MANY),
    ("range", 2): _integer,
}
