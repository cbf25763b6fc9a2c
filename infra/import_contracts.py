"""Kinds of contract for `make imports`, beside the kinds of import-linter.

`pyproject.toml` states the contracts. `tests/architecture/` plants violations, for every contract
to catch.
"""

import re
from collections.abc import Iterable
from typing import Any

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output
from importlinter.domain.helpers import module_expressions_to_modules

type Chain = tuple[str, ...]


class _ChainsContract(Contract):
    """A contract on chains of imports, from an importer to the imported module."""

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:  # noqa: ARG002 - the base's
        """Check the contract against a graph of imports."""
        chains = sorted(self.find_chains(graph))
        return ContractCheck(kept=not chains, metadata={"chains": chains})

    def render_broken_contract(self, check: ContractCheck) -> None:
        """Print the chains of imports against the contract."""
        for chain in check.metadata["chains"]:
            output.print_error(" -> ".join(chain), bold=False)

    def find_chains(self, graph: ImportGraph) -> Iterable[Chain]:
        """Return the chains of imports against the contract."""
        raise NotImplementedError


class ReachOnlyContract(_ChainsContract):
    """Modules with imports, direct or indirect, of listed modules and libraries alone.

    A list of allowed libraries also stops an unforeseen library. `source_modules` name packages
    with the modules inside, also by wildcards; `allowed_modules` name packages or libraries.
    """

    type_name = "reach_only"

    source_modules: Any = fields.SetField(subfield=fields.ModuleExpressionField())
    allowed_modules: Any = fields.SetField(subfield=fields.ModuleExpressionField())

    def find_chains(self, graph: ImportGraph) -> Iterable[Chain]:
        """Return the imports from the sources, or from allowed modules, of a module not allowed."""
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
    """Modules with imports of some parts of a library alone.

    import-linter knows a library by its first name alone: `azure` for `azure.storage.blob`.
    The contract therefore reads the line of the import.
    """

    type_name = "library_parts"

    source_modules: Any = fields.SetField(subfield=fields.ModuleExpressionField())
    library: Any = fields.StringField()
    allowed_parts: Any = fields.SetField(subfield=fields.StringField())

    def find_chains(self, graph: ImportGraph) -> Iterable[Chain]:
        """Return the imports of parts not allowed."""
        if self.library not in graph.modules:
            return
        for importer in _names(graph, self.source_modules):
            for detail in graph.get_import_details(importer=importer, imported=self.library):
                for part in _parts(str(detail["line_contents"]), self.library):
                    if part not in self.allowed_parts:
                        yield (importer, part)


class NoCirclesContract(_ChainsContract):
    """Modules without circles of imports, imports under TYPE_CHECKING and in functions included."""

    type_name = "no_circles"

    source_modules: Any = fields.SetField(subfield=fields.ModuleExpressionField())

    def find_chains(self, graph: ImportGraph) -> Iterable[Chain]:
        """Return a shortest circle for every import within a circle."""
        modules = _names(graph, self.source_modules)
        for importer in modules:
            for imported in graph.find_modules_directly_imported_by(importer) & modules:
                back = graph.find_shortest_chain(importer=imported, imported=importer)
                if back is not None:
                    yield (importer, *back)


def _names(graph: ImportGraph, expressions: Any) -> set[str]:
    """Return the modules of the expressions, packages with the modules inside."""
    named = {module.name for module in module_expressions_to_modules(graph, expressions)}
    # import-linter keeps the name of a library alone, squashed.
    packages = {name for name in named & graph.modules if not graph.is_module_squashed(name)}
    return named.union(*(graph.find_descendants(package) for package in packages))


def _parts(line: str, library: str) -> set[str]:
    """Return the imported parts of a library in a line of code, such as `urllib.parse`."""
    return set(re.findall(rf"(?<![\w.]){re.escape(library)}(?:\.\w+)*", line.partition("#")[0]))
