"""The README's tables and the sample of settings say what the code does."""

import json
import re
from dataclasses import fields
from pathlib import Path

import azure.functions as func

from functions.documents import EVERY_BLUEPRINT
from infra.local.ports import Ports, setting_name
from infra.local.settings import app_settings
from shared.catalogue import QUEUES
from shared.messages.contracts import CONTRACTS
from shared.settings import Settings

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
# The errors that are answered as problems, all made with their code as the first argument.
RAISED = re.compile(
    r"\b(?:InvalidInput|MalformedInput|Unauthenticated|Forbidden|NotFound|Conflict"
    r"|PreconditionFailed|PreconditionRequired|TooLarge)Error\(\s*\"([a-z-]+)\""
    # An error that carries more has a class of its own.
    r"|super\(\).__init__\(\s*\"([a-z-]+)\""
)
PROBLEM = re.compile(r"_problem\(\s*\d+,\s*\"([a-z-]+)\"")


def section(title):
    """The text under a heading, up to the next one."""
    return README.split(f"### {title}\n")[1].split("\n#")[0]


def first_column(title):
    """What stands in backquotes at the start of a section's table rows."""
    return [m[1] for m in re.finditer(r"^\| `([^`]+)`", section(title), re.MULTILINE)]


def test_every_problem_is_in_the_table_once():
    sources = [*ROOT.glob("shared/**/*.py"), *ROOT.glob("functions/**/*.py")]
    raised = {
        code
        for source in sources
        for pattern in (RAISED, PROBLEM)
        for found in pattern.finditer(source.read_text(encoding="utf-8"))
        for code in filter(None, found.groups())
    }
    listed = first_column("Problems")
    assert sorted(raised) == sorted(listed)


def test_every_request_is_in_the_table():
    served = set()
    app = func.FunctionApp()
    for blueprint in EVERY_BLUEPRINT:
        app.register_functions(blueprint)
    for function in app.get_functions():
        trigger = function.get_trigger()
        if trigger.type == "httpTrigger":
            served |= {f"{method.name} /{trigger.route}" for method in trigger.methods}
    assert sorted(served) == sorted(first_column("HTTP"))


def test_every_message_is_in_the_table():
    assert sorted(CONTRACTS) == sorted(first_column("Messages"))
    named = set(re.findall(r"^\| `[^`]+` \| `([^`]+)`", section("Messages"), re.MULTILINE))
    assert named <= {queue.name for queue in QUEUES}


def test_every_setting_is_in_the_table_and_in_the_sample():
    names = [field.name for field in fields(Settings)]
    assert first_column("Settings") == names
    sample = json.loads((ROOT / "local.settings.sample.json").read_text(encoding="utf-8"))
    assert sample["Values"].keys() == {*names, "AzureWebJobsStorage", "FUNCTIONS_WORKER_RUNTIME"}


def test_the_local_stack_sets_every_setting(tmp_path):
    given = app_settings(Ports(), tmp_path / "ca.pem", "header")
    assert {field.name for field in fields(Settings)} <= given.keys()


def test_every_port_is_in_the_table():
    assert sorted(first_column("Ports of the local stack")) == sorted(
        setting_name(field.name) for field in fields(Ports)
    )
