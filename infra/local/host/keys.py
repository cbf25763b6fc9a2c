"""Access keys: the keys that open functions whose ``authLevel`` is not anonymous.

A function key opens its one function. A host key opens every function of level ``function``. The
master key opens every endpoint, ``/admin`` included. A request carries a key in the header
``x-functions-key``, or else as ``?code=``. Keys are stored as Azure's default: in the container
``azure-webjobs-secrets`` of the account of ``AzureWebJobsStorage``, as ``<host id>/host.json`` and
``<host id>/<function>.json``. The first start makes missing keys. Source: "Work with access keys in
Azure Functions" (learn.microsoft.com).
"""

import asyncio
import hmac
import logging
import secrets
from collections.abc import Callable, Iterable, Mapping
from pathlib import Path
from typing import Any

from azure.core.exceptions import AzureError
from starlette.requests import Request

from infra.local.host.errors import StartupError
from infra.local.host.events import EVENT_GRID
from infra.local.host.loading import Function
from infra.local.host.settings import AppSettings
from infra.local.host.storage import CONNECTION, HostStorage, container_client, host_id
from infra.local.host.webhook import SYSTEM_KEY

log = logging.getLogger("host.keys")

CONTAINER = "azure-webjobs-secrets"
STORE_SETTING = "AzureWebJobsSecretStorageType"
HEADER = "x-functions-key"
PARAMETER = "code"
ANONYMOUS, FUNCTION, ADMIN = "ANONYMOUS", "FUNCTION", "ADMIN"
LEVELS = (ANONYMOUS, FUNCTION, ADMIN)
RETRY_SECONDS = 1.0


def level_of(function: Function) -> str:
    """Return an HTTP function's ``authLevel``. Raise StartupError for an unknown level."""
    level = str(function.trigger.get("authLevel") or FUNCTION).upper()
    if level not in LEVELS:
        raise StartupError(f"authLevel {level} is none of {', '.join(LEVELS)}")
    return level


class Keys:
    """The keys of one app. No key is accepted before ``loaded``."""

    def __init__(
        self,
        storage: HostStorage,
        functions: Iterable[str],
        system: Iterable[str] = (),
        *,
        needed: bool = True,
    ) -> None:
        """Take ``system``, the names of the extensions' keys that the app needs.

        ``needed`` is False for an app that needs no further keys: ``/admin`` is then open, as
        without keys.
        """
        self._storage = storage
        self.needed = needed
        self._needed = tuple(system)
        self._system: dict[str, str] = {}
        self._functions = sorted(functions)
        self._master = ""
        self._host: list[str] = []
        self._own: dict[str, list[str]] = {}
        self.loaded = False

    async def run(self, ready: asyncio.Event, stopping: asyncio.Event) -> None:
        """Read the keys, or make the keys, as soon as the account answers.

        Raises StartupError for keys that are encrypted or not in Azure's format.
        """
        try:
            while not stopping.is_set() and not self.loaded:
                try:
                    await self._load()
                    self.loaded = True
                    ready.set()
                except AzureError as error:
                    log.warning("cannot read the access keys: %s", error)
                    await asyncio.sleep(RETRY_SECONDS)
            await stopping.wait()
        finally:
            await self._storage.close()

    def allows(self, request: Request, level: str, function: str | None = None) -> bool:
        """Tell whether the request's key opens the function, or without a function ``/admin``."""
        given = request.headers.get(HEADER)
        if given is None:
            given = request.query_params.get(PARAMETER)
        if not given:
            return False
        accepted = [self._master]
        if level == FUNCTION and function is not None:
            accepted += self._host + self._own.get(function, [])
        # Each key is compared in constant time, so that the time taken reveals nothing.
        return any(hmac.compare_digest(given.encode(), key.encode()) for key in accepted)

    def allows_extension(self, request: Request, name: str) -> bool:
        """Tell whether the request's key is the named extension's key or the master key."""
        given = request.headers.get(HEADER) or request.query_params.get(PARAMETER)
        accepted = (self._master, self._system.get(name, ""))
        return bool(given) and any(
            key and hmac.compare_digest(str(given).encode(), key.encode()) for key in accepted
        )

    async def _load(self) -> None:
        await self._storage.open()
        host = await self._read("host", _new_host_keys)
        self._system = await self._system_keys(host)
        self._master = _value(host.get("masterKey"))
        self._host = _values(host.get("functionKeys"))
        for name in self._functions:
            keys = await self._read(name.lower(), _new_function_keys)
            self._own[name] = _values(keys.get("keys"))

    async def _system_keys(self, host: Mapping[str, Any]) -> dict[str, str]:
        """Return the extensions' keys by name, after making the missing keys."""
        there = host.get("systemKeys") or []
        missing = set(self._needed) - {key.get("name") for key in there if isinstance(key, dict)}
        if missing:
            there = [*there, *(_key(name) for name in sorted(missing))]
            document = {**host, "systemKeys": there}
            await self._storage.write(f"{self._storage.host}/host.json", document)
        values = _values(there)
        return {str(key["name"]): value for key, value in zip(there, values, strict=True)}

    async def _read(self, name: str, make: Callable[[], dict[str, Any]]) -> Mapping[str, Any]:
        place = f"{self._storage.host}/{name}.json"
        try:
            found = await self._storage.read(place)
            if found is None:
                if await self._storage.create(place, make()):
                    log.info("made access keys: %s in %s", place, CONTAINER)
                # Another host may have written the keys first; its keys count.
                found = await self._storage.read(place)
        except ValueError:
            raise _malformed() from None
        if not isinstance(found, dict):
            raise _malformed()
        return found


def access_keys(functions: list[Function], settings: AppSettings, folder: Path) -> Keys | None:
    """Return the keys of an app with keyed functions or with a setting for the keys' store.

    Raises StartupError when the keys cannot be stored.
    """
    keyed = [item for item in functions if item.kind == "httpTrigger" and _needs_key(item)]
    system = [SYSTEM_KEY] if any(_by_events(item) for item in functions) else []
    store = settings.get(STORE_SETTING)
    if store not in (None, "blob", "Blob"):
        raise StartupError(f"the app setting {STORE_SETTING}={store} is not supported, only blob")
    if not keyed and not system and store is None:
        return None
    try:
        client = container_client(settings, CONNECTION, CONTAINER)
    except StartupError as refused:
        raise StartupError(*(f"access keys: {line}" for line in refused.lines)) from None
    names = (item.name for item in functions if item.kind == "httpTrigger")
    needed = bool(keyed) or store is not None
    return Keys(HostStorage(client, host_id(settings, folder)), names, system, needed=needed)


def _by_events(function: Function) -> bool:
    return function.kind == "blobTrigger" and function.trigger.get("source") == EVENT_GRID


def _needs_key(function: Function) -> bool:
    # A wrong level is reported with the further faults of the function's route.
    return str(function.trigger.get("authLevel") or FUNCTION).upper() != ANONYMOUS


def _new_host_keys() -> dict[str, Any]:
    return {"masterKey": _key("master"), "functionKeys": [_key("default")], "systemKeys": []}


def _new_function_keys() -> dict[str, Any]:
    return {"keys": [_key("default")]}


def _key(name: str) -> dict[str, Any]:
    return {"name": name, "value": secrets.token_urlsafe(32), "encrypted": False}


def _values(keys: object) -> list[str]:
    if not isinstance(keys, list):
        raise _malformed()
    return [_value(key) for key in keys]


def _value(key: object) -> str:
    value = key.get("value") if isinstance(key, dict) else None
    if not isinstance(key, dict) or not isinstance(value, str) or not value:
        raise _malformed()
    if key.get("encrypted"):
        raise StartupError(f"access keys in {CONTAINER} are encrypted, which is not supported")
    return value


def _malformed() -> StartupError:
    return StartupError(f"access keys in {CONTAINER} are not in the format of Azure Functions")
