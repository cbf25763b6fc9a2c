"""The app settings: the app's configuration from outside, as environment variables in Azure."""

import re
from collections.abc import Mapping

from infra.local.host.errors import StartupError

APP_SETTING = re.compile(r"%([^%]+)%")


# Settings with only one supported value.
ONLY = {
    "FUNCTIONS_EXTENSION_VERSION": "~4",
    "FUNCTIONS_WORKER_PROCESS_COUNT": "1",
    "FUNCTIONS_WORKER_RUNTIME": "python",
}


class AppSettings:
    """The app settings by name, and the expressions in bindings."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def get(self, name: str) -> str | None:
        """Return the setting's value; None for a missing or empty setting."""
        return self._values.get(name) or None

    def check(self) -> None:
        """Raise StartupError with a line for each setting that needs a different host."""
        wrong = [
            f"the app setting {name}={found} is not supported, only {value}"
            for name, value in ONLY.items()
            if (found := self.get(name)) not in (None, value)
        ]
        if wrong:
            raise StartupError(*wrong)

    def disabled(self, function: str) -> bool:
        """Tell whether a function is switched off.

        Source: "How to disable functions in Azure Functions" (learn.microsoft.com). Underscores
        replace the dots in places that forbid dots, such as a shell.
        """
        names = (f"AzureWebJobs.{function}.Disabled", f"AzureWebJobs_{function}_Disabled")
        return any((self.get(name) or "").lower() in ("true", "1") for name in names)

    def resolve(self, text: str) -> str:
        """Replace each ``%NAME%`` by the setting's value. Raise StartupError when missing."""

        def value(match: re.Match[str]) -> str:
            found = self.get(match[1])
            if found is None:
                raise StartupError(f"the app setting {match[1]} is missing")
            return found

        return APP_SETTING.sub(value, text)

    def connection(self, name: str) -> str:
        """Return the connection string that a binding names, as ``NAME`` or ``AzureWebJobsNAME``.

        Raises StartupError for a missing connection, and for an identity-based connection, which
        local stand-ins do not support.
        """
        found = self.get(name) or self.get(f"AzureWebJobs{name}")
        if found is not None:
            return found
        identity = next((key for key in self._values if key.startswith(f"{name}__")), None)
        if identity is not None:
            raise StartupError(f"{identity} is not supported: set the connection string {name}")
        raise StartupError(f"the connection setting {name} is missing")
