"""Azure route templates: what ``tenants/{tenant}/assets/{*path}`` matches, and which goes first.

The rules are ASP.NET Core's, which the Functions host uses
(https://learn.microsoft.com/aspnet/core/fundamentals/routing): literals match in any case; for each
segment a literal goes before a constrained parameter, that before a free one, that before a
catch-all; a trailing slash means nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from urllib.parse import unquote

from infra.local.host.constraints import Constraint, parse
from infra.local.host.refusals import RefusedError

# A name, its constraints, of which arguments in parentheses may hold doubled braces, and a "?".
PARAMETER = re.compile(
    r"\{(\*{0,2})([A-Za-z_]\w*)"
    r"((?::[^{}()?:]+(?:\((?:[^{}]|\{\{|\}\})*\))?)*)"
    r"(\??)\}"
)


@dataclass(frozen=True)
class Route:
    """A compiled template; ``precedence`` sorts those that match first to the front."""

    template: str
    pattern: re.Pattern[str]
    precedence: tuple[int, ...]
    constraints: Mapping[str, str]
    checks: tuple[tuple[str, Constraint], ...]

    @property
    def shape(self) -> str:
        """What the template matches, whatever its parameters are called."""
        pattern = re.sub(
            r"\(\?P<(\w+)>",
            lambda name: f"({self.constraints.get(name[1], '')}:",
            self.pattern.pattern,
        )
        return pattern.lower()

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters in a path without its leading slash; None when it is not this route's."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        values = {name: value for name, value in found.groupdict().items() if value is not None}
        for name, accepts in self.checks:
            if name in values and not accepts(values[name]):
                return None
        return values


def compile_route(template: str) -> Route:
    """Compile a template. Raises RefusedError naming what in it is not supported."""
    pattern = ""
    precedence = []
    segments = template.strip("/").split("/")
    for position, segment in enumerate(segments):
        last = position == len(segments) - 1
        separator = "" if position == 0 else "/"
        whole = PARAMETER.fullmatch(segment)
        if whole and whole[1]:
            if not last:
                raise RefusedError(f"{segment} in {template} must come last")
            rest = f"(?P<{whole[2]}>.*)"
            pattern += rest if position == 0 else f"(?:/{rest})?"
            precedence.append(4 if whole[3] else 5)
        elif whole and whole[4]:
            if not last:
                raise RefusedError(f"{segment} in {template} must come last")
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
        raise RefusedError(f"route {template}: {error}") from None
    constraints = {found[2]: found[3] for found in PARAMETER.finditer(template) if found[3]}
    return Route(template, compiled, tuple(precedence), constraints, _checks(constraints, template))


def path_of(raw_path: bytes) -> str:
    """The request path to match, without its outer slashes.

    As in Kestrel: percent-encoding is undone except for ``%2F``, which stays inside its segment,
    and dot segments are resolved after that (RFC 3986, 5.2.4), so that none reaches a function.
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
            raise RefusedError(f"{found[0]} in {template} must be a segment of its own")
        pattern += re.escape(segment[end : found.start()])
        pattern += f"(?P<{found[2]}>[^/]+)"
        end = found.end()
    rest = segment[end:]
    if "{" in rest or "}" in rest or not segment:
        raise RefusedError(f"segment {segment!r} of route {template!r} is not supported")
    return pattern + re.escape(rest)


def _checks(constraints: Mapping[str, str], template: str) -> tuple[tuple[str, Constraint], ...]:
    try:
        return tuple(
            (name, constraint) for name, text in constraints.items() for constraint in parse(text)
        )
    except ValueError as error:
        raise RefusedError(f"{error} in route {template} is not supported") from None
