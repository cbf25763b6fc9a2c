"""The programs of the stack: each process's command, environment and readiness."""

import sys
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from infra.local import probes
from infra.local import settings as names
from infra.local.certificates import Certificates
from infra.local.node import NODE
from infra.local.ports import LOOPBACK, Ports
from infra.local.processes import STOP_SECONDS, Program

# In the order of starting. The host is last, because the triggers connect at once.
PROCESSES = (
    "azurite",
    "servicebus",
    "identity",
    "keyvault",
    "datakeys",
    "recovery",
    "mailbox",
    "webhooks",
    "host",
)

# Started only on request: the app then reaches its storage through the fault proxy.
FAULTS = "faults"

PORTS_OF = {
    "azurite": ("blob", "queue", "table"),
    FAULTS: ("faulty_blob", "faulty_queue", "faulty_table", "fault_control"),
    "servicebus": ("service_bus",),
    "identity": ("token_issuer",),
    "keyvault": ("key_vault",),
    "datakeys": ("data_key_vault",),
    "recovery": ("resource_manager",),
    "mailbox": ("smtp", "mailbox"),
    "webhooks": ("webhook_receiver",),
    "host": ("host",),
}

# The seconds in which a stopping host finishes invocations, below the time for the host to end.
HOST_GRACE_SECONDS = STOP_SECONDS - 2
# Azurite closes a connection after five idle seconds. The SDKs keep a connection for fifteen, and
# send no transaction a second time where the connection was closed.
KEEP_ALIVE_SECONDS = 75

AZURITE = names.ROOT / "infra/local/azurite/node_modules/azurite/dist/src/azurite.js"
VAULTS = names.ROOT / "infra/local/keyvault"


@dataclass(frozen=True)
class Programs:
    """Make the programs of one stack from shared values.

    `settings` are the app's, `environment` is every process's. `lock_duration` (ISO 8601) replaces
    the queues' own.
    """

    directory: Path
    ports: Ports
    settings: Mapping[str, str]
    environment: Mapping[str, str]
    certificates: Certificates
    identity_header: str
    app: Path
    in_memory: bool
    lock_duration: str | None
    access_log: bool
    scenario: Path

    def made(self, wanted: Sequence[str]) -> dict[str, Program]:
        """Return the programs with these names, in the order of starting."""
        makers = {
            "azurite": self._azurite,
            FAULTS: self._faults,
            "servicebus": self._servicebus,
            "identity": self._identity,
            "keyvault": self._keyvault,
            "datakeys": self._datakeys,
            "recovery": self._recovery,
            "mailbox": self._mailbox,
            "webhooks": self._webhooks,
            "host": self._host,
        }
        return {name: make() for name, make in makers.items() if name in wanted}

    def _azurite(self) -> Program:
        ports = self.ports
        storage: list[str | Path] = ["--inMemoryPersistence"]
        if not self.in_memory:
            storage = ["--location", self.directory / "azurite"]
        return self._program(
            "azurite",
            [
                NODE,
                AZURITE,
                *storage,
                *("--blobHost", LOOPBACK, "--blobPort", str(ports.blob)),
                *("--queueHost", LOOPBACK, "--queuePort", str(ports.queue)),
                *("--tableHost", LOOPBACK, "--tablePort", str(ports.table)),
                *("--blobKeepAliveTimeout", str(KEEP_ALIVE_SECONDS)),
                *("--queueKeepAliveTimeout", str(KEEP_ALIVE_SECONDS)),
                *("--tableKeepAliveTimeout", str(KEEP_ALIVE_SECONDS)),
                *([] if self.access_log else ["--silent"]),
                "--disableTelemetry",
                # The storage SDKs speak versions of the protocol that are newer than any Azurite.
                "--skipApiVersionCheck",
            ],
            probes.listening(ports.blob, ports.queue, ports.table),
        )

    def _faults(self) -> Program:
        ports = self.ports
        return self._program(
            FAULTS,
            [
                *_module("infra.local.faults"),
                *("--control", str(ports.fault_control)),
                *("--blob", str(ports.faulty_blob), str(ports.blob)),
                *("--queue", str(ports.faulty_queue), str(ports.queue)),
                *("--table", str(ports.faulty_table), str(ports.table)),
            ],
            probes.answering(ports.fault_control, "/plan"),
        )

    def _servicebus(self) -> Program:
        port = self.ports.service_bus
        lock = [] if self.lock_duration is None else ["--lock-duration", self.lock_duration]
        config = names.ROOT / "infra/local/servicebus/Config.json"
        store: list[str | Path] = []
        if not self.in_memory:
            store = ["--store", self.directory / "servicebus/messages.db"]
        return self._program(
            "servicebus",
            [
                *_module("infra.local.servicebus"),
                *("--port", str(port), "--config", config),
                *lock,
                *store,
            ],
            probes.listening(port),
        )

    def _identity(self) -> Program:
        port = self.ports.token_issuer
        return self._program(
            "identity",
            [*_module("infra.local.identity"), "--port", str(port), "--audience", names.AUDIENCE],
            probes.answering(port, "/.well-known/openid-configuration"),
            IDENTITY_HEADER=self.identity_header,
        )

    def _keyvault(self) -> Program:
        return self._vault("keyvault", self.ports.key_vault, "--secrets", VAULTS / "secrets.json")

    def _datakeys(self) -> Program:
        access = VAULTS / "data_key_role_assignments.json"
        return self._vault("datakeys", self.ports.data_key_vault, "--access", access)

    def _vault(self, name: str, port: int, *options: str | Path) -> Program:
        files = self.certificates
        return self._program(
            name,
            [
                *_module("infra.local.keyvault"),
                *("--port", str(port)),
                *("--issuer", names.endpoints(self.ports)["token_issuer"]),
                *("--certificate", files.server, "--private-key", files.server_key),
                *("--store", self.directory / name / "secrets.json"),
                *options,
            ],
            probes.answering(port, "/healthstatus", authority=files.authority),
        )

    def _recovery(self) -> Program:
        port = self.ports.resource_manager
        files = self.certificates
        return self._program(
            "recovery",
            [
                *_module("infra.local.recovery"),
                *("--port", str(port)),
                *("--issuer", names.endpoints(self.ports)["token_issuer"]),
                *("--certificate", files.server, "--private-key", files.server_key),
                *("--subscription", names.SUBSCRIPTION),
                *("--resource-group", names.RESOURCE_GROUP),
                *("--scenario", self.scenario),
            ],
            probes.answering(port, "/healthstatus", authority=files.authority),
        )

    def _mailbox(self) -> Program:
        files = self.certificates
        return self._program(
            "mailbox",
            [
                *_module("infra.local.mailbox"),
                *("--smtp-port", str(self.ports.smtp), "--port", str(self.ports.mailbox)),
                *("--certificate", files.server, "--private-key", files.server_key),
                *("--directory", self.directory / "mailbox"),
                *(["--empty"] if self.in_memory else []),
            ],
            probes.listening(self.ports.smtp, self.ports.mailbox),
        )

    def _webhooks(self) -> Program:
        files = self.certificates
        return self._program(
            "webhooks",
            [
                *_module("infra.local.webhooks"),
                *("--port", str(self.ports.webhook_receiver)),
                *("--certificate", files.server, "--private-key", files.server_key),
            ],
            probes.listening(self.ports.webhook_receiver),
        )

    def _host(self) -> Program:
        port = self.ports.host
        return self._program(
            "host",
            [
                *_module("infra.local.host"),
                *("--app", self.app, "--port", str(port), "--grace", str(HOST_GRACE_SECONDS)),
            ],
            # The host listens before its triggers do. Core Tools answers with this text once the
            # triggers run.
            probes.answering(port, "/admin/host/status", having=b'"Running"'),
            **self.settings,
        )

    def _program(
        self,
        name: str,
        command: Sequence[str | Path],
        is_ready: Callable[[], bool],
        **environment: str,
    ) -> Program:
        return Program(
            name=name,
            command=command,
            environment=dict(self.environment) | environment,
            directory=names.ROOT,
            log=self.directory / "logs" / f"{name}.log",
            is_ready=is_ready,
        )


def _module(name: str) -> list[str]:
    return [sys.executable, "-m", name]
