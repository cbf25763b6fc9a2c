"""The start of the app."""

import logging

import pytest

from infra.local.ports import Ports
from infra.local.settings import app_settings
from shared import composition
from shared.composition import core

HTTP_LOGGING = logging.getLogger("azure.core.pipeline.policies.http_logging_policy")


@pytest.fixture
def _quiet_again(monkeypatch):
    """What a start changes for the whole process is as it was afterwards."""
    monkeypatch.setattr(core, "_current", None)
    level = logging.getLogger("azure").level
    logging.getLogger("azure").setLevel(logging.NOTSET)
    yield
    logging.getLogger("azure").setLevel(level)


@pytest.mark.usefixtures("_quiet_again")
def test_the_sdks_log_no_urls_even_where_the_host_logs_everything(monkeypatch, tmp_path):
    monkeypatch.setattr(logging.getLogger(), "level", logging.DEBUG)
    assert HTTP_LOGGING.isEnabledFor(logging.INFO)
    composition.start(app_settings(Ports(), tmp_path / "ca.pem", "header"))
    assert not HTTP_LOGGING.isEnabledFor(logging.INFO)
    assert HTTP_LOGGING.isEnabledFor(logging.WARNING)
