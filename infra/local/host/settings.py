"""The app settings: what configures an app from outside, as environment variables as in Azure."""

import re
from collections.abc import Mapping

from infra.local.host.refusals import RefusedError

APP_SETTING = re.compile(r"%([^%]+)%")


# What a setting must be where this host has nothing else to offer.
ONLY = {
    "FUNCTIONS_EXTENSION_VERSION": "~4",
    "FUNCTIONS_WORKER_PROCESS_COUNT": "1",
    "FUNCTIONS_WORKER_RUNTIME": "python",
}


class AppSettings:
    """The app settings, by name, and the expressions that bindings may hold."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def get(self, name: str) -> str | None:
        """The setting's value; None when there is none or it is empty."""
        return self._values.get(name) or None

    def check(self) -> None:
        """Raises RefusedError with a line for each setting that asks for another host than this."""
        wrong = [
            f"the app setting {name}={found} is not supported, only {value}"
            for name, value in ONLY.items()
            if (found := self.get(name)) not in (None, value)
        ]
        if wrong:
            raise RefusedError(*wrong)

    def disabled(self, function: str) -> bool:
        """Whether a function is switched off.

        Source: "How to disable functions in Azure Functions" (learn.microsoft.com). Where a name
        may have no dots, as in a shell, they are underscores.
        """
        names = (f"AzureWebJobs.{function}.Disabled", f"AzureWebJobs_{function}_Disabled")
        return any((self.get(name) or "").lower() in ("true", "1") for name in names)

    def resolve(self, text: str) -> str:
        """The text with each ``%NAME%`` replaced by that setting. Raises RefusedError naming it."""

        def value(match: re.Match[str]) -> str:
            found = self.get(match[1])
            if found is None:
                raise RefusedError(f"the app setting {match[1]} is missing")
            return found

        return APP_SETTING.sub(value, text)

    def connection(self, name: str) -> str:
        """The connection string that a binding names, as ``NAME`` or ``AzureWebJobsNAME``.

        Raises RefusedError when there is none, or when the connection is one by identity, which has
        no meaning for local stand-ins.
        """
        found = self.get(name) or self.get(f"AzureWebJobs{name}")
        if found is not None:
            return found
        identity = next((key for key in self._values if key.startswith(f"{name}__")), None)
        if identity is not None:
            raise RefusedError(f"{identity} is not supported: set the connection string {name}")
        raise RefusedError(f"the connection setting {name} is missing")
