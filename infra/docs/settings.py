"""`reference/settings.md`, from the settings object and from how the app checks each setting.

The allowed values are told by the app's own refusals: each setting is given a wrong value.
"""

import ast
import inspect
import textwrap
from collections.abc import Mapping
from dataclasses import fields
from itertools import pairwise
from typing import Final

from infra.docs import markdown
from infra.docs.markdown import code
from shared.settings import SCANNERS, Settings, SettingsError, read_settings

_WRONG: Final = "?"
_ANY: Final = "takes any text"
_INTRODUCTION: Final = """\
The app reads its settings once, at start. A missing or wrong setting stops the start, and the
error names every such setting at once. A setting for another scanner than `SCANNER` may be
missing, and a setting that is never needed has a default. The last column is the app's own
sentence on a wrong value. The repository's
[local.settings.sample.json](../../local.settings.sample.json) has a value for each setting, and
[settings for operators](../how-to/operator-settings.md) says how to choose."""


def page() -> bytes:
    """Return the page: each setting, its meaning, when the app needs it, and which values do."""
    names = [field.name for field in fields(Settings)]
    meanings = _meanings()
    needed = {scanner: _faults({"SCANNER": scanner}) for scanner in SCANNERS}
    rules = _faults(dict.fromkeys(names, _WRONG))
    rows = []
    for name in names:
        scanners = [code(scanner) for scanner, faults in needed.items() if name in faults]
        # The scanner is the one setting that was given above.
        always = name == "SCANNER" or len(scanners) == len(SCANNERS)
        when = "always" if always else f"for {', '.join(scanners)}" if scanners else _default(name)
        rows.append((code(name), meanings[name], when, rules.get(name, _ANY)))
    return markdown.page(
        "Settings",
        _INTRODUCTION,
        markdown.table(("setting", "meaning", "needed", "says of a wrong value"), rows),
    )


def _default(name: str) -> str:
    """Return the words for a setting that may be missing, with its default."""
    [default] = [field.default for field in fields(Settings) if field.name == name]
    return f"never; {default} where not set"


def _meanings() -> Mapping[str, str]:
    """Return the docstring below each field of the settings, by the field's name."""
    source = ast.parse(textwrap.dedent(inspect.getsource(Settings)))
    (body,) = [node.body for node in source.body if isinstance(node, ast.ClassDef)]
    return {
        ast.unparse(field.target): ast.literal_eval(text.value)
        for field, text in pairwise(body)
        if isinstance(field, ast.AnnAssign) and isinstance(text, ast.Expr)
    }


def _faults(environment: Mapping[str, str]) -> Mapping[str, str]:
    """Return what the app says of each setting of `environment` that is missing or wrong."""
    try:
        read_settings(environment)
    except SettingsError as error:
        lines = [line.strip() for line in str(error).splitlines()[1:]]
        return {name: fault for name, _, fault in (line.partition(" ") for line in lines)}
    return {}
