"""The path of a blob trigger: a container and a pattern of blob names.

Source: "Azure Blob storage trigger for Azure Functions", blob name patterns (learn.microsoft.com).
"""

import re

from infra.local.host.errors import StartupError

PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")


class BlobPattern:
    """A trigger's path such as ``incoming/{tenant}/{name}.jpg``."""

    def __init__(self, path: str) -> None:
        """Raise StartupError for a path that is not a container and a pattern of names."""
        self.container, slash, names = path.strip("/").partition("/")
        rest = PLACEHOLDER.sub("", path)
        if not slash or not names or "{" in self.container or "{" in rest or "}" in rest:
            raise StartupError(
                f"path {path!r} is not a container and a pattern such as in/{{name}}"
            )
        self.prefix = names.partition("{")[0]
        parts = PLACEHOLDER.split(names)
        self._regex = re.compile(
            "".join(
                f"(?P<{part}>.+)" if position % 2 else re.escape(part)
                for position, part in enumerate(parts)
            ),
            re.DOTALL,
        )

    def match(self, name: str) -> dict[str, str] | None:
        """Return the placeholders' values (``/`` may occur) in a name; None without a match."""
        found = self._regex.fullmatch(name)
        return found.groupdict() if found else None
