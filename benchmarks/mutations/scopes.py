"""Which names an expression might have been written with by mistake."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from dataclasses import dataclass

__all__ = ["Names", "names_at"]


@dataclass(frozen=True)
class Names:
    """The values of a function: its variables, attributes and items; and the program's functions.

    An attribute or an item is exchanged for another one of the same object.
    """

    variables: tuple[str, ...]
    parts: dict[str, tuple[str, ...]]
    functions: dict[str, int]

    def others(self, node: ast.expr) -> Iterator[ast.expr]:
        """What may stand in the place of a value, or of a call, by a slip of the pen."""
        if isinstance(node, ast.Call):
            name = ast.unparse(node.func)
            wanted = self.functions.get(name)
            for other, count in self.functions.items():
                if wanted is not None and other != name and count == wanted:
                    yield ast.Call(_expression(other), node.args, node.keywords)
            return
        own = ast.unparse(node)
        if isinstance(node, ast.Name) and own in self.variables:
            alike = self.variables
        elif _is_part(node):
            alike = self.parts.get(ast.unparse(node.value), ())
        else:
            return
        for other in alike:
            if other != own:
                yield _expression(other)


def names_at(tree: ast.Module, statement: ast.stmt) -> Names:
    """The names of the innermost function that a statement is in, or of the module."""
    inside = _function_around(tree, statement) or tree
    arguments = [node.arg for node in ast.walk(inside) if isinstance(node, ast.arg)]
    variables = dict.fromkeys(name for name in arguments if name != "self")
    parts: dict[str, dict[str, None]] = {}
    for node in _own(inside):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            variables[node.id] = None
        elif _is_part(node):
            parts.setdefault(ast.unparse(node.value), {})[ast.unparse(node)] = None
    return Names(
        tuple(variables), {base: tuple(found) for base, found in parts.items()}, _functions(tree)
    )


def _function_around(tree: ast.Module, statement: ast.stmt) -> ast.FunctionDef | None:
    around = [
        node
        for node in ast.walk(tree)
        if isinstance(node, ast.FunctionDef) and any(each is statement for each in ast.walk(node))
    ]
    return around[-1] if around else None  # ast.walk goes from the outer ones to the inner ones


def _own(inside: ast.AST) -> Iterator[ast.AST]:
    """The nodes of a function or a module, without those of the functions in it."""
    for child in ast.iter_child_nodes(inside):
        if not isinstance(child, ast.FunctionDef | ast.ClassDef | ast.Lambda):
            yield child
            yield from _own(child)


def _is_part(node: ast.AST) -> bool:
    """Whether it is ``self.hidden`` or ``grads["W1"]``, as one of several like it."""
    if isinstance(node, ast.Subscript):
        return isinstance(node.slice, ast.Constant) and isinstance(node.slice.value, str)
    return isinstance(node, ast.Attribute) and ast.unparse(node.value) == "self"


def _functions(tree: ast.Module) -> dict[str, int]:
    """How the program's functions are called, and with how many arguments."""
    found: dict[str, int] = {}
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef) and not node.name.startswith("__"):
            arguments = [each.arg for each in node.args.args]
            if arguments and arguments[0] == "self":
                found[f"self.{node.name}"] = len(arguments) - 1
            else:
                found[node.name] = len(arguments)
    return found


def _expression(text: str) -> ast.expr:
    return ast.parse(text, mode="eval").body
