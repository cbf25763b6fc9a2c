"""Kinds of contract for `make imports` that import-linter does not bring along.

`pyproject.toml` states the contracts. `tests/architecture/` plants violations and sees each caught.
"""

import re
from collections.abc import Iterable
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules

type Chain = tuple[str, ...]


class _ChainsContract(Contract):
    """A contract that is broken by chains of imports, each from an importer to the imported."""

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002 - the base's
        """Check the contract against a graph of imports."""
        chains = sorted(self.find_chains(graph))
        return ContractCheck(kept=not chains, metadata={"chains": chains})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print each chain of imports that breaks the contract."""
        for chain in check.metadata["chains"]:
            output.print_error(" -> ".join(chain), bold=False)

    def find_chains(self, graph: ImportGraph) -> Iterable[Chain]:
        """Return the chains of imports that break the contract."""
        raise NotImplementedError


class ReachOnlyContract(_ChainsContract):
    """Modules that import nothing but listed modules and libraries, directly or indirectly.

    A list of what is allowed also stops a library that nobody thought of. `source_modules` are
    packages with all their modules, with wildcards; `allowed_modules` are packages or libraries.
    """

    type_name = "reach_only"

    source_modules: Any = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed_modules: Any = fields.SetField(subfield=fields.ModuleExpressionField())

    def find_chains(self, graph: ImportGraph) -> Iterable[Chain]:
        """Return one shortest chain to each module that is not allowed, cut where it leaves."""
        sources = _names(graph, self.source_modules)
        allowed = sources | _names(graph, self.allowed_modules)
        reached = set(sources)
        for source in sources:
            reached |= graph.find_upstream_modules(source)
        return {
            (importer, imported)
            for importer in reached & allowed
            for imported in graph.find_modules_directly_imported_by(importer) - allowed
        }


class LibraryPartsContract(_ChainsContract):
    """Modules that import only some parts of a library.

    import-linter knows a library by its first name alone: `azure` for `azure.storage.blob`.
    The contract therefore reads the line of the import.
    """

    type_name = "library_parts"

    source_modules: Any = fields.SetField(subfield=fields.ModuleExpressionField())
    library: Any = fields.StringField()
    allowed_parts: Any = fields.SetField(subfield=fields.StringField())

    def find_chains(self, graph: ImportGraph) -> Iterable[Chain]:
        """Return each import of a part that is not allowed."""
        if self.library not in graph.modules:
            return
        for importer in _names(graph, self.source_modules):
            for detail in graph.get_import_details(importer=importer, imported=self.library):
                for part in _parts(str(detail["line_contents"]), self.library):
                    if part not in self.allowed_parts:
                        yield (importer, part)


class NoCirclesContract(_ChainsContract):
    """No module reaches itself by imports, also by those under TYPE_CHECKING or in a function."""

    type_name = "no_circles"

    source_modules: Any = fields.SetField(subfield=fields.ModuleExpressionField())

    def find_chains(self, graph: ImportGraph) -> Iterable[Chain]:
        """Return a shortest circle for each import that is part of a circle."""
        modules = _names(graph, self.source_modules)
        for importer in modules:
            for imported in graph.find_modules_directly_imported_by(importer) & modules:
                back = graph.find_shortest_chain(importer=imported, imported=importer)
                if back is not None:
                    yield (importer, *back)


def _names(graph: ImportGraph, expressions: Any) -> set[str]:
    """Return the modules that the expressions name, packages with all that is in them."""
    named = {module.name for module in module_expressions_to_modules(graph, expressions)}
    # import-linter keeps the name of a library alone, squashed.
    packages = {name for name in named & graph.modules if not graph.is_module_squashed(name)}
    return named.union(*(graph.find_descendants(package) for package in packages))


def _parts(line: str, library: str) -> set[str]:
    """Return the parts of a library that one line imports, such as `urllib.parse`."""
    return set(re.findall(rf"(?<![\w.]){re.escape(library)}(?:\.\w+)*", line.partition("#")[0]))
