"""Azure route templates: what ``tenants/{tenant}/assets/{*path}`` matches, and which goes first.

The rules are ASP.NET Core's, which the Functions host uses
(https://learn.microsoft.com/aspnet/core/fundamentals/routing): literals match in any case; for each
segment a literal goes before a constrained parameter, that before a free one, that before a
catch-all; a trailing slash means nothing.
"""

import re
from dataclasses import dataclass
from urllib.parse import unquote

from infra.local.host.refusals import RefusedError

CONSTRAINTS = {
    "alpha": r"[A-Za-z]+",
    "bool": r"(?:true|false)",
    "guid": r"[0-9A-Fa-f]{8}(?:-[0-9A-Fa-f]{4}){3}-[0-9A-Fa-f]{12}",
    "int": r"-?\d{1,10}",
    "long": r"-?\d{1,19}",
}
PARAMETER = re.compile(r"\{(\*{0,2})([A-Za-z_]\w*)((?::[^{}?]+)*)(\??)\}")


@dataclass(frozen=True)
class Route:
    """A compiled template; ``precedence`` sorts those that match first to the front."""

    template: str
    pattern: re.Pattern[str]
    precedence: tuple[int, ...]

    @property
    def shape(self) -> str:
        """What the template matches, whatever its parameters are called."""
        return re.sub(r"\(\?P<\w+>", "(", self.pattern.pattern).lower()

    def match(self, path: str) -> dict[str, str] | None:
        """The parameters in a path without its leading slash; None when it is not this route's."""
        found = self.pattern.fullmatch(path)
        if found is None:
            return None
        return {name: value for name, value in found.groupdict().items() if value is not None}


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
            rest = f"(?P<{whole[2]}>{_constraint(whole[3], '.*', template)})"
            pattern += rest if position == 0 else f"(?:/{rest})?"
            precedence.append(4 if whole[3] else 5)
        elif whole and whole[4]:
            if not last:
                raise RefusedError(f"{segment} in {template} must come last")
            part = f"(?P<{whole[2]}>{_constraint(whole[3], '[^/]+', template)})"
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
    return Route(template, compiled, tuple(precedence))


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
        pattern += f"(?P<{found[2]}>{_constraint(found[3], '[^/]+', template)})"
        end = found.end()
    rest = segment[end:]
    if "{" in rest or "}" in rest or not segment:
        raise RefusedError(f"segment {segment!r} of route {template!r} is not supported")
    return pattern + re.escape(rest)


def _constraint(text: str, otherwise: str, template: str) -> str:
    if not text:
        return otherwise
    name = text[1:]
    if name not in CONSTRAINTS:
        raise RefusedError(f"constraint {name} in route {template} is not supported")
    return CONSTRAINTS[name]
