"""host.json and app settings: values read, and values refused by name.

The settings and defaults are those of "host.json reference for Azure Functions 2.x and later" and
"App settings reference for Azure Functions" (learn.microsoft.com).
"""

import json
from pathlib import Path
from typing import Any

import pytest

from infra.local.host.errors import StartupError
from infra.local.host.hostjson import HostSettings, read_host_json, seconds
from infra.local.host.settings import AppSettings


def read(directory: Path, **document: Any) -> HostSettings:
    path = directory / "host.json"
    path.write_text(json.dumps({"version": "2.0", **document}))
    return read_host_json(path, {})


def test_without_settings_azures_defaults_hold(tmp_path: Path) -> None:
    settings = read(tmp_path)
    assert settings.route_prefix == "api"
    assert settings.function_timeout == 1800
    assert settings.max_concurrent_calls == 16
    assert settings.max_concurrent_sessions == 8
    assert settings.max_message_batch_size == 1000
    assert settings.max_lock_renewal == 300
    assert settings.poison_blob_threshold == 5


def test_every_supported_setting_is_read(tmp_path: Path) -> None:
    settings = read(
        tmp_path,
        functionTimeout="-1",
        logging={"logLevel": {"default": "Warning"}, "anything": {"goes": True}},
        extensionBundle={"id": "Microsoft.Azure.Functions.ExtensionBundle", "version": "[4.*,5)"},
        extensions={
            "http": {"routePrefix": ""},
            "serviceBus": {
                "maxConcurrentCalls": 3,
                "maxConcurrentSessions": 2,
                "maxMessageBatchSize": 7,
                "minMessageBatchSize": 3,
                "maxBatchWaitTime": "00:00:20",
                "maxAutoLockRenewalDuration": "00:01:30",
                "sessionIdleTimeout": "00:00:01",
                "autoCompleteMessages": True,
                "prefetchCount": 0,
            },
            "blobs": {"maxDegreeOfParallelism": 5, "poisonBlobThreshold": 4},
        },
    )
    assert settings == HostSettings(
        route_prefix="",
        function_timeout=None,
        log_level="Warning",
        max_concurrent_calls=3,
        max_concurrent_sessions=2,
        max_message_batch_size=7,
        min_message_batch_size=3,
        max_batch_wait=20,
        max_lock_renewal=90,
        session_idle_timeout=1,
        blob_parallelism=5,
        poison_blob_threshold=4,
    )


@pytest.mark.parametrize(
    ("document", "named"),
    [
        ({"version": "1.0"}, "version"),
        ({"singleton": {"lockPeriod": "00:00:15"}}, "singleton.lockPeriod"),
        ({"retry": {"strategy": "fixedDelay"}}, "retry.strategy"),
        ({"extensions": {"queues": {"batchSize": 1}}}, "extensions.queues.batchSize"),
        ({"extensions": {"http": {"hsts": {"isEnabled": True}}}}, "extensions.http.hsts.isEnabled"),
        ({"extensions": {"serviceBus": {"prefetchCount": 10}}}, "serviceBus.prefetchCount"),
        ({"extensions": {"serviceBus": {"minMessageBatchSize": 1000}}}, "minMessageBatchSize"),
        ({"extensions": {"serviceBus": {"maxBatchWaitTime": "soon"}}}, "maxBatchWaitTime"),
        ({"extensions": {"serviceBus": {"autoCompleteMessages": False}}}, "autoCompleteMessages"),
        ({"extensions": {"serviceBus": {"maxConcurrentCalls": 0}}}, "maxConcurrentCalls"),
        ({"extensions": {"http": {"routePrefix": "admin"}}}, "routePrefix"),
        ({"functionTimeout": "soon"}, "functionTimeout"),
    ],
)
def test_what_is_not_supported_is_refused_by_name(
    tmp_path: Path, document: dict[str, Any], named: str
) -> None:
    with pytest.raises(StartupError) as refused:
        read(tmp_path, **document)
    assert named in str(refused.value)


def test_an_app_setting_goes_before_host_json(tmp_path: Path) -> None:
    """ "Override host.json values", host.json reference (learn.microsoft.com)."""
    path = tmp_path / "host.json"
    path.write_text('{"version": "2.0", "extensions": {"HTTP": {"RoutePrefix": "api"}}}')
    settings = read_host_json(
        path,
        {
            "AzureFunctionsJobHost__extensions__http__routePrefix": "v2",
            "AzureFunctionsJobHost__functionTimeout": "00:00:10",
            "AzureFunctionsJobHost__Extensions__ServiceBus__MaxConcurrentCalls": "3",
            "azurefunctionsjobhost__extensions__serviceBus__autoCompleteMessages": "true",
            "AzureFunctionsJobHost__logging__logLevel__default": "Warning",
            "AzureFunctionsJobHost__logging__console__isEnabled": "true",
        },
    )
    assert settings == HostSettings(
        route_prefix="v2", function_timeout=10, max_concurrent_calls=3, log_level="Warning"
    )
    wrong = {
        "AzureFunctionsJobHost__extensions__serviceBus__maxConcurrentCalls": "many",
        "AzureFunctionsJobHost__extensions__queues__batchSize": "1",
    }
    with pytest.raises(StartupError) as refused:
        read_host_json(path, wrong)
    calls, size = refused.value.lines
    assert calls.startswith(f"the app setting {next(iter(wrong))}: 'many' is not")
    assert size.startswith(
        "the app setting AzureFunctionsJobHost__extensions__queues__batchSize is"
    )


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("FUNCTIONS_WORKER_RUNTIME", "node"),
        ("FUNCTIONS_WORKER_PROCESS_COUNT", "4"),
        ("FUNCTIONS_EXTENSION_VERSION", "~3"),
    ],
)
def test_another_host_is_refused_by_name(name: str, value: str) -> None:
    with pytest.raises(StartupError, match=f"{name}={value} is not supported"):
        AppSettings({name: value}).check()
    AppSettings({name: ""}).check()


@pytest.mark.parametrize("value", ["true", "True", "1"])
def test_a_function_is_disabled_by_its_setting(value: str) -> None:
    settings = AppSettings({"AzureWebJobs.one.Disabled": value, "AzureWebJobs_two_Disabled": value})
    assert [settings.disabled(name) for name in ("one", "two", "three")] == [True, True, False]
    assert not AppSettings({"AzureWebJobs.one.Disabled": "false"}).disabled("one")


def test_all_wrong_settings_are_reported_together(tmp_path: Path) -> None:
    with pytest.raises(StartupError) as refused:
        read(tmp_path, functionTimeout="soon", singleton={"lockPeriod": "00:00:15"})
    assert len(refused.value.lines) == 2


def test_a_missing_or_broken_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(StartupError, match=r"host\.json: there is none"):
        read_host_json(tmp_path / "host.json", {})
    (tmp_path / "host.json").write_text("{")
    with pytest.raises(StartupError, match=r"host\.json: not JSON"):
        read_host_json(tmp_path / "host.json", {})


@pytest.mark.parametrize(
    ("text", "length"),
    [("00:05:00", 300), ("1.02:00:00", 93600), ("00:00:00.5", 0.5), ("00:00:00", 0)],
)
def test_a_time_span_is_read(text: str, length: float) -> None:
    assert seconds(text) == length


def test_app_settings_are_resolved_in_expressions() -> None:
    settings = AppSettings({"A": "1", "EMPTY": ""})
    assert settings.resolve("x-%A%-%A%") == "x-1-1"
    with pytest.raises(StartupError, match="NOWHERE"):
        settings.resolve("%NOWHERE%")
    with pytest.raises(StartupError, match="EMPTY"):
        settings.resolve("%EMPTY%")


def test_a_connection_is_found_under_either_of_its_names() -> None:
    settings = AppSettings(
        {"BUS": "one", "AzureWebJobsFiles": "two", "Lake__blobServiceUri": "https://x"}
    )
    assert settings.connection("BUS") == "one"
    assert settings.connection("Files") == "two"
    with pytest.raises(StartupError, match="connection setting NONE is missing"):
        settings.connection("NONE")
    with pytest.raises(StartupError, match="Lake__blobServiceUri is not supported"):
        settings.connection("Lake")
