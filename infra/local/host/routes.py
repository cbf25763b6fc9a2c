"""Azure route templates: matching ``tenants/{tenant}/assets/{*path}``, and the precedence.

The rules are ASP.NET Core's, as in the Functions host
(https://learn.microsoft.com/aspnet/core/fundamentals/routing). Literals match in any case. In each
segment a literal precedes a constrained parameter, a constrained parameter precedes a free
parameter, and a free parameter precedes a catch-all. A trailing slash means nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from infra.local.host.constraints import Constraint, parse
from infra.local.host.errors import StartupError

# A name, the name's constraints, and a "?". A constraint's arguments in parentheses may hold
# doubled braces.
PARAMETER = re.compile(
    r"\{(\*{0,2})([A-Za-z_]\w*)"
    r"((?::[^{}()?:]+(?:\((?:[^{}]|\{\{|\}\})*\))?)*)"
    r"(\??)\}"
)


@dataclass(frozen=True)
class Route:
    """A compiled template; sorting by ``precedence`` puts the first match first."""

    template: str
    pattern: re.Pattern[str]
    precedence: tuple[int, ...]
    constraints: Mapping[str, str]
    checks: tuple[tuple[str, Constraint], ...]

    @property
    def shape(self) -> str:
        """The requests that the template matches, regardless of the parameters' names."""
        pattern = re.sub(
            r"\(\?P<(\w+)>",
            lambda name: f"({self.constraints.get(name[1], '')}:",
            self.pattern.pattern,
        )
        return pattern.lower()

    def match(self, path: str) -> dict[str, str] | None:
        """Return the parameters in a path without the leading slash; None without a match."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        values = {name: value for name, value in found.groupdict().items() if value is not None}
        for name, accepts in self.checks:
            if name in values and not accepts(values[name]):
                return None
        return values


def compile_route(template: str) -> Route:
    """Compile a template. Raise StartupError naming an unsupported part."""
    pattern = ""
    precedence = []
    segments = template.strip("/").split("/")
    for position, segment in enumerate(segments):
        last = position == len(segments) - 1
        separator = "" if position == 0 else "/"
        whole = PARAMETER.fullmatch(segment)
        if whole and whole[1]:
            if not last:
                raise StartupError(f"{segment} in {template} must come last")
            rest = f"(?P<{whole[2]}>.*)"
            pattern += rest if position == 0 else f"(?:/{rest})?"
            precedence.append(4 if whole[3] else 5)
        elif whole and whole[4]:
            if not last:
                raise StartupError(f"{segment} in {template} must come last")
            part = f"(?P<{whole[2]}>[^/]+)"
            pattern += f"(?:{separator}{part})?"
            precedence.append(2 if whole[3] else 3)
        else:
            pattern += separator + _segment(segment, template)
            rank = 2 if whole and whole[3] else 3
            precedence.append(rank if "{" in segment else 1)
    try:
        compiled = re.compile(pattern, re.IGNORECASE)
    except re.error as error:
        raise StartupError(f"route {template}: {error}") from None
    constraints = {found[2]: found[3] for found in PARAMETER.finditer(template) if found[3]}
    return Route(template, compiled, tuple(precedence), constraints, _checks(constraints, template))


def path_of(raw_path: bytes) -> str:
    """Return the request path to match, without its outer slashes.

    As in Kestrel, percent-encoding is decoded except for ``%2F``, which stays inside its segment.
    Dot segments are resolved after decoding (RFC 3986, 5.2.4), so no dot segment reaches a
    function.
    """
    text = re.sub("%2f", "%252F", raw_path.decode("ascii"), flags=re.IGNORECASE)
    resolved: list[str] = []
    for segment in unquote(text).split("/"):
        if segment == "..":
            del resolved[-1:]
        elif segment not in (".", ""):
            resolved.append(segment)
    return "/".join(resolved)


def _segment(segment: str, template: str) -> str:
    pattern, end = "", 0
    for found in PARAMETER.finditer(segment):
        if found[1] or found[4]:
            raise StartupError(f"{found[0]} in {template} must be a segment of its own")
        pattern += re.escape(segment[end : found.start()])
        pattern += f"(?P<{found[2]}>[^/]+)"
        end = found.end()
    rest = segment[end:]
    if "{" in rest or "}" in rest or not segment:
        raise StartupError(f"segment {segment!r} of route {template!r} is not supported")
    return pattern + re.escape(rest)


def _checks(constraints: Mapping[str, str], template: str) -> tuple[tuple[str, Constraint], ...]:
    try:
        return tuple(
            (name, constraint) for name, text in constraints.items() for constraint in parse(text)
        )
    except ValueError as error:
        raise StartupError(f"{error} in route {template} is not supported") from None
