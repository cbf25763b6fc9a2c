"""Running the operators' command line as an operator does, in this process."""

import json
from dataclasses import dataclass
from typing import Protocol

import pytest

from infra.ops.__main__ import main
from tests.ops.logs import KEY


@dataclass(frozen=True)
class Answer:
    """The command's answer: status, standard output and standard error."""

    status: int
    said: str
    error: str


class Verify(Protocol):
    def __call__(self, log: object, *options: object, key: object = ...) -> Answer: ...


@pytest.fixture
def verify(capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> Verify:
    """`verify(log, "--older", file)` runs `verify-log` with the log's own key."""
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.delenv("VOUCHSAFE_TOKEN", raising=False)

    def run(log: object, *options: object, key: object = KEY.verifier) -> Answer:
        status = main(["verify-log", str(log), "--key", str(key), *map(str, options)])
        out, error = capsys.readouterr()
        # Exactly one line on one of the two streams.
        assert (out + error).count("\n") == 1
        assert bool(out) == (status < 2)
        return Answer(status, out.strip(), error.strip())

    return run


def found(answer: Answer) -> tuple[str, int, int]:
    """Return the kind, first and last entry of a fault in a JSON answer."""
    assert answer.status == 1
    said = json.loads(answer.said)
    assert said["intact"] is False
    assert "is not intact" in said["sentence"]
    return said["kind"], said["entry"], said["last"]
