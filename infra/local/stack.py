"""The local stack: one process for each Azure service of the app, and the app's host."""

import os
import secrets
from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from infra.local import settings as names
from infra.local.certificates import Certificates
from infra.local.errors import StackError
from infra.local.ports import LOOPBACK, Ports
from infra.local.processes import STOP_SECONDS, Guard
from infra.local.programs import FAULTS, PORTS_OF, PROCESSES, Programs


def _unreported(_: str) -> None:
    """Report no step."""


class Stack:
    """The stack's processes, ports, files and settings; a context manager.

    Every file is in `directory`: logs, certificates, the vault's secrets and, unless `in_memory`,
    the data of Azurite and of the queues. `ports` default to free ports. `settings` override or
    extend the app's settings. `lock_duration` (ISO 8601, `PT10S`) replaces the queues' declared
    lock duration. `app` is the folder of the function app that the host runs. `processes` are the
    processes to start: some tests need only a part of `PROCESSES`. With `FAULTS` among `processes`
    the app reaches its storage through the fault proxy. The proxy's rules are set at `faults_url`.
    The connection strings in `info` bypass the proxy. With `access_log` Azurite's log has a line
    for each request, in the common log format. `scenario` is the file of the vaults' backup jobs.
    """

    def __init__(
        self,
        directory: Path,
        *,
        ports: Ports | None = None,
        settings: Mapping[str, str] | None = None,
        in_memory: bool = False,
        lock_duration: str | None = None,
        app: Path = names.ROOT,
        processes: Sequence[str] = PROCESSES,
        access_log: bool = False,
        scenario: Path = names.SCENARIO,
    ) -> None:
        self.directory = directory.resolve()
        self.ports = ports or Ports.free()
        self._certificates = Certificates.within(self.directory / "tls")
        identity_header = secrets.token_urlsafe(32)
        self.settings = names.app_settings(
            names.beyond_faults(self.ports) if FAULTS in processes else self.ports,
            self._certificates.authority,
            identity_header,
        ) | dict(settings or {})
        self._programs = Programs(
            directory=self.directory,
            ports=self.ports,
            settings=self.settings,
            environment=names.base_environment(os.environ),
            certificates=self._certificates,
            identity_header=identity_header,
            app=app.resolve(),
            in_memory=in_memory,
            lock_duration=lock_duration,
            access_log=access_log,
            scenario=scenario.resolve(),
        ).made(processes)
        self._exit = ExitStack()
        self._guard: Guard | None = None

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.stop()

    def start(self, report: Callable[[str], None] = _unreported) -> None:
        """Start every process that does not run, and return once every process serves.

        `report` receives each step, in words for a person. Raises StackError when a port is taken
        (before any start) or a process ends early. After a failed first start no process is left
        running.
        """
        first = self._guard is None
        try:
            self._start(self.dead(), report)
        except BaseException:
            if first:
                self.stop()
            raise

    def start_process(self, name: str) -> None:
        """Start one process that was killed or has died. Raise StackError as `start` does."""
        if not self._programs[name].running:
            self._start([name], _unreported)

    def stop(self) -> None:
        """End every process, the host first, and return once every process is gone.

        After an interrupt, a second call ends the remaining processes.
        """
        if self._guard is None:
            return
        for program in reversed(self._programs.values()):
            program.ask_to_end()
            program.end(self._guard, grace=STOP_SECONDS)
        self._guard = None
        self._exit.close()

    def kill(self, name: str) -> None:
        """End one process at once with SIGKILL, as a crash would; `start_process` restarts it."""
        self._programs[name].end(self._started_guard())

    def restart(self, name: str) -> None:
        """End one process in order, as for an update, and start the process again.

        Azurite keeps its data on disk; in memory Azurite begins anew. Raises StackError as `start`.
        """
        program = self._programs[name]
        program.ask_to_end()
        program.end(self._started_guard(), grace=STOP_SECONDS)
        self._start([name], _unreported)

    def pid(self, name: str) -> int:
        """Return the id of a running process. Raise StackError for a process that does not run."""
        pid = self._programs[name].pid
        if pid is None:
            raise StackError(f"{name} does not run.\n{self._programs[name].log_tail()}")
        return pid

    def dead(self) -> list[str]:
        """Return the processes that do not run."""
        return [name for name, program in self._programs.items() if not program.running]

    @property
    def authority(self) -> Path:
        """The CA certificate that clients of the vault stand-in trust."""
        return self._certificates.authority

    @property
    def faults_url(self) -> str:
        """The fault proxy's control endpoint, for `faults.control.Faults`."""
        return f"http://{LOOPBACK}:{self.ports.fault_control}"

    @property
    def info(self) -> dict[str, Any]:
        """The addresses and settings for clients, which `make up` writes to `build/stack.json`."""
        urls = names.endpoints(self.ports)
        if FAULTS in self._programs:
            urls["faults"] = f"{self.faults_url}/plan"
        return {
            "endpoints": urls,
            "connection_strings": names.connection_strings(self.ports),
            "token": {
                "endpoint": f"{urls['token_issuer']}/token",
                "audience": names.AUDIENCE,
                "curl": (
                    f"curl -s {urls['token_issuer']}/token -d grant_type=client_credentials"
                    " -d client_id=ada -d roles=tenant.admin -d tenant=acme"
                ),
            },
            "ca_file": str(self.authority),
            "processes": {
                name: {"pid": program.pid, "log": str(program.log)}
                for name, program in self._programs.items()
            },
            "settings": self.settings,
        }

    def _start(self, missing: Sequence[str], report: Callable[[str], None]) -> None:
        if self._guard is not None:
            for name in missing:
                # The rest of a process that died may still hold the port.
                self._programs[name].end(self._guard)
        self.ports.check_free(port for name in missing for port in PORTS_OF[name])
        if self._guard is None:
            self._certificates.make()
            self._guard = self._exit.enter_context(Guard())
        # The services start side by side; the host starts after the services are ready.
        for wave in ([name for name in missing if name != "host"], ["host"]):
            programs = [self._programs[name] for name in wave if name in missing]
            for program in programs:
                report(f"Starting {program.name}")
                program.start(self._guard)
            for program in programs:
                program.wait_ready()
                report(f"{program.name} is ready")

    def _started_guard(self) -> Guard:
        if self._guard is None:
            raise StackError("The stack has not been started.")
        return self._guard
