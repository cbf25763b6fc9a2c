"""The path of a blob trigger: a container, and which names in it fit.

Source: "Azure Blob storage trigger for Azure Functions", blob name patterns (learn.microsoft.com).
"""

import re

from infra.local.host.refusals import RefusedError

PLACEHOLDER = re.compile(r"\{([A-Za-z_]\w*)\}")


class BlobPattern:
    """A trigger's path such as ``incoming/{tenant}/{name}.jpg``."""

    def __init__(self, path: str) -> None:
        """Raises RefusedError when the path is not a container and a pattern of names."""
        self.container, slash, names = path.strip("/").partition("/")
        rest = PLACEHOLDER.sub("", path)
        if not slash or not names or "{" in self.container or "{" in rest or "}" in rest:
            raise RefusedError(
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
        """The placeholders' values in a blob's name; None when it does not fit. ``/`` fits too."""
        found = self._regex.fullmatch(name)
        return found.groupdict() if found else None
