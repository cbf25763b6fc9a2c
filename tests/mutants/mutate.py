"""Make the mutants of a module: the same code with one decision changed.

Changed are each comparison and its boundaries, `and`, `or`, `not`, `min`, `max`, and each `raise`.
"""

import ast
import copy
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

# A boundary moved by nothing, and the comparison denied.
_COMPARISONS: Final[dict[type[ast.cmpop], tuple[type[ast.cmpop], ...]]] = {
    ast.Lt: (ast.LtE, ast.GtE),
    ast.LtE: (ast.Lt, ast.Gt),
    ast.Gt: (ast.GtE, ast.LtE),
    ast.GtE: (ast.Gt, ast.Lt),
    ast.Eq: (ast.NotEq,),
    ast.NotEq: (ast.Eq,),
    ast.In: (ast.NotIn,),
    ast.NotIn: (ast.In,),
    ast.Is: (ast.IsNot,),
    ast.IsNot: (ast.Is,),
}
_LONGEST: Final = 90
_CALLS: Final = {"min": "max", "max": "min"}


@dataclass(frozen=True)
class Mutant:
    """A changed module. `name` tells the place and the change, without a line number."""

    name: str
    tree: ast.Module


def mutants(source: str) -> Iterator[Mutant]:
    """Make every mutant of a module's source, each with a name of its own."""
    tree = ast.parse(source)
    seen: dict[str, int] = {}
    for place, statement, node in _places(tree):
        for changed in _changes(node):
            before, after = (ast.unparse(each) for each in (node, changed))
            mutated = _replaced(tree, node, changed)
            name = f"{place}: {_short(before)} -> {_short(after)}"
            if isinstance(node, ast.Constant):
                name += f" in {_short(ast.unparse(statement))}"
            seen[name] = seen.get(name, 0) + 1
            numbered = name if seen[name] == 1 else f"{name} ({seen[name]})"
            yield Mutant(numbered, mutated)


type Node = ast.expr | ast.stmt


def _places(tree: ast.Module) -> Iterator[tuple[str, ast.stmt, Node]]:
    """Find each node with the function or class around it and its statement."""

    def visit(
        node: ast.AST, place: str, statement: ast.stmt
    ) -> Iterator[tuple[str, ast.stmt, Node]]:
        for child in ast.iter_child_nodes(node):
            inner = f"{place}.{child.name}".lstrip(".") if isinstance(child, _NAMED) else place
            within = child if isinstance(child, ast.stmt) else statement
            if isinstance(child, (ast.expr, ast.stmt)):
                yield (inner or "module"), within, child
            yield from visit(child, inner, within)

    yield from visit(tree, "", ast.Pass())


_NAMED: Final = (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)


def _changes(node: Node) -> Iterator[Node]:
    """Make each change of one node."""
    match node:
        case ast.Raise():
            yield ast.Pass()
        case ast.BoolOp():
            negated = ast.Or() if isinstance(node.op, ast.And) else ast.And()
            yield ast.BoolOp(negated, node.values)
        case ast.UnaryOp(op=ast.Not()):
            yield node.operand
        case ast.Compare():
            for index, operator in enumerate(node.ops):
                for other in _COMPARISONS[type(operator)]:
                    operators = [*node.ops[:index], other(), *node.ops[index + 1 :]]
                    yield ast.Compare(node.left, operators, node.comparators)
        case ast.Constant(value=int(value)) if not isinstance(value, bool):
            yield ast.Constant(value + 1)
            yield ast.Constant(value - 1)
        case ast.Call(func=ast.Name(id=name)) if name in _CALLS:
            yield ast.Call(ast.Name(_CALLS[name], ast.Load()), node.args, node.keywords)


def _short(code: str) -> str:
    """Return the first line of code, or its beginning."""
    line = code.partition("\n")[0]
    return line if len(line) <= _LONGEST else line[:_LONGEST] + " ..."


def _replaced(tree: ast.Module, node: Node, changed: Node) -> ast.Module:
    """Copy a tree with one node replaced."""
    memo = {id(node): ast.copy_location(copy.deepcopy(changed), node)}
    return ast.fix_missing_locations(copy.deepcopy(tree, memo))
