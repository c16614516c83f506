"""What else keeps a program from learning, or its user from seeing it: only what is certain.

An observation is no part of the verdict, which is about the gradients alone.
"""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from chainrule.check.late import late_prints
from chainrule.check.names import shadowed_names
from chainrule.check.programs import Place, Program
from chainrule.check.sandbox import Ran
from chainrule.check.statements import (
    Step,
    is_jump,
    is_step,
    loops_of,
    own_nodes,
    statements_at,
    steps_of,
    targets_of,
)

__all__ = ["Observation", "observe"]

_LONGEST_LINE = 100
_CAST = re.compile(
    r"Cannot cast ufunc '\w+' output from dtype\('float\d+'\) to dtype\('u?int\d+'\)"
)


@dataclass(frozen=True)
class Observation:
    """One thing that was seen for certain: its kind, where, and what to do, in a sentence.

    ``kind`` is "progress outside the loop", "whole numbers", "never reached", "shadowed name",
    "overflow" or "symmetric start"; ``place`` is None where no one line is to blame.
    """

    kind: str
    place: Place | None
    sentence: str

    def to_json(self) -> dict[str, Any]:
        """The observation as plain data."""
        place = self.place
        return {
            "kind": self.kind,
            "line": None if place is None else place.line,
            "cell": None if place is None else place.cell,
            "sentence": self.sentence,
        }


def observe(program: Program, ran: Ran) -> tuple[Observation, ...]:
    """All that is certain of a run, in the order of the lines."""
    tree = program.tree()
    training = {each["loop"] for each in ran.found if "verdict" in each}
    found = {
        "progress outside the loop": late_prints(program, tree, training),
        "whole numbers": _whole_numbers(program, tree, ran),
        "never reached": _never_reached(program, tree, ran, training),
        "shadowed name": shadowed_names(program, tree, ran),
        "overflow": _overflow(program, tree, ran),
        "symmetric start": _symmetric_start(program, tree, ran),
    }
    made = {
        (line, kind): Observation(kind, program.place(line) if line else None, sentence)
        for kind, each in found.items()
        for line, sentence in each
    }
    return tuple(made[each] for each in sorted(made))


def _whole_numbers(program: Program, tree: ast.Module, ran: Ran) -> Iterator[tuple[int, str]]:
    advice = "write np.array(…, dtype=float), or .astype(float), where it is made"
    names = {(cut["line"], cut["name"]) for each in ran.found for cut in each.get("cut", ())}
    for line, name in sorted(names):
        yield (
            line,
            f"{name} holds whole numbers, and what is written here is cut to them: {advice}.",
        )
    if ran.outcome == "failed" and ran.line and _CAST.search(ran.error):
        whole = {name for name, kind in ran.names.items() if kind == "whole numbers"}
        for name in sorted(whole & _written(tree, ran.line)):
            what = f"{name} holds whole numbers, and NumPy puts no fractions into them"
            yield ran.line, f"{what}: {advice}."


def _written(tree: ast.Module, line: int) -> set[str]:
    """What the statements in a line change in place."""
    found: set[str] = set()
    for statement in statements_at(tree, line):
        if isinstance(statement, ast.AugAssign):
            found |= {ast.unparse(target) for target in targets_of(statement)}
        for node in ast.walk(statement):
            if isinstance(node, ast.keyword) and node.arg == "out":
                found.add(ast.unparse(node.value))
    return found


def _never_reached(
    program: Program, tree: ast.Module, ran: Ran, training: set[int]
) -> Iterator[tuple[int, str]]:
    if ran.outcome != "ran" or not ran.seen:
        return
    yield from _used_up(program, tree, ran, training)
    reached = set(ran.seen["reached"])
    inside = [node for loop in loops_of(tree) for node in own_nodes(loop.node)]
    every = {n.lineno for n in inside if isinstance(n, ast.stmt) and is_step(n)}
    if training or reached & every:
        return
    for step in steps_of(tree):
        why = _why_not(program, step, ran.seen["loops"], reached)
        if why:
            text = program.line(step.node.lineno).strip()[:_LONGEST_LINE]
            yield step.node.lineno, f"This step was never taken, as {why}: {text}"


def _why_not(program: Program, step: Step, loops: dict[str, Any], reached: set[int]) -> str:
    """Why a step in a loop was not run; "" where the outermost loop itself was not come to."""
    chain = [*step.loop.within, step.loop.node]
    for loop, inner in zip(chain, [*chain[1:], step.node], strict=True):
        counts, place = loops.get(str(loop.lineno)), program.place(loop.lineno)
        if counts is None:
            return ""
        if not counts["turns"]:
            empty = "had nothing to go over" if isinstance(loop, ast.For) else "was not entered"
            return f"the loop in {place} {empty}"
        if str(inner.lineno) in loops and inner is not step.node:
            continue
        jumps = _jumps_before(loop, inner, reached) if inner in loop.body else []
        if jumps:
            what = " and ".join(f"the {word} in {program.place(line)}" for line, word in jumps)
            return f"{what} came before it"
        return f"no iteration of the loop in {place} came to it"
    return ""


def _jumps_before(
    loop: ast.For | ast.While, inner: ast.stmt, reached: set[int]
) -> list[tuple[int, str]]:
    """The statements before another in a loop that were run, and that leave its body."""
    before = loop.body[: loop.body.index(inner)]
    nodes = [node for each in before for node in (each, *own_nodes(each))]
    loops = [node for node in nodes if isinstance(node, ast.For | ast.While)]
    apart = {node for each in loops for node in own_nodes(each)}  # they leave another loop's
    return [
        (node.lineno, type(node).__name__.lower())
        for node in nodes
        if isinstance(node, ast.stmt) and is_jump(node) and node.lineno in reached
        if isinstance(node, ast.Return) or node not in apart
    ]


def _used_up(
    program: Program, tree: ast.Module, ran: Ran, training: set[int]
) -> Iterator[tuple[int, str]]:
    """The loops over what can be gone over once, in a loop that goes over it again."""
    for loop in loops_of(tree):
        line = loop.node.lineno
        kind = ran.seen["used_up"].get(str(line))
        if (
            not kind
            or not loop.within
            or line not in training
            or not isinstance(loop.node, ast.For)
        ):
            continue
        if ran.seen["loops"][str(line)]["full"] == 1:
            name, outer = ast.unparse(loop.node.iter), program.place(loop.within[-1].lineno)
            sentence = (
                f"{name} is a {kind}, which can be gone over once: this loop had no iteration "
                f"after the first turn of the loop in {outer}. Make it a list, as by list({name}), "
                "where it is made."
            )
            yield line, sentence


def _overflow(program: Program, tree: ast.Module, ran: Ran) -> Iterator[tuple[int, str]]:
    spoiled = ran.seen.get("spoiled")
    if spoiled:
        value = "nan" if spoiled["is_nan"] else "infinite"
        turn = f"iteration {spoiled['turn']} of the loop in {program.place(spoiled['loop'])}"
        sentence = (
            f"The first value that is not finite is computed here, in {turn} "
            f"({spoiled['text']}); {spoiled['name']} is {value} after it. "
            f"{_stable(spoiled['text'])}."
        )
        yield spoiled["line"], sentence
    if ran.outcome == "failed" and ran.kind == "OverflowError" and ran.line:
        nodes = [node for each in statements_at(tree, ran.line) for node in ast.walk(each)]
        called = [ast.unparse(node.func) for node in nodes if isinstance(node, ast.Call)]
        for name in [name for name in called if name.rpartition(".")[2] == "exp"][:1]:
            sentence = (
                f"What {name} is given here is too large for it, which ends the program. Make the "
                "steps smaller, or the formula stable, so that it takes no large number."
            )
            yield ran.line, sentence


def _stable(text: str) -> str:
    """What to do about what NumPy warns of."""
    if text.endswith("encountered in exp"):
        return "Take off the largest value before np.exp, or make the steps smaller"
    if "encountered in log" in text:
        return "Keep what the logarithm is taken of away from 0, as by np.clip"
    return "Make the steps smaller, or the formula stable"


def _symmetric_start(program: Program, tree: ast.Module, ran: Ran) -> Iterator[tuple[int, str]]:
    loops: dict[int, dict[str, list[dict[str, Any]]]] = {}
    for each in ran.found:
        for unit in each.get("units", ()):
            loops.setdefault(each["loop"], {}).setdefault(unit["name"], []).append(unit)
    lines: dict[int, dict[str, int]] = {}
    for units in loops.values():
        for name, seen in units.items():
            if len(seen) > 1:  # in the first iteration, and in a later one
                line = _made(tree, name) or seen[0]["line"]
                lines.setdefault(line, {})[name] = seen[0]["units"]
    for line, sizes in lines.items():
        names = " and of ".join(f"{name} ({size})" for name, size in sizes.items())
        sentence = (
            f"The hidden units of {names} start equal and stay equal, as their gradients are the "
            "same: they are worth one unit. Start from random numbers, as by rng.normal(size=…)."
        )
        yield line, sentence


def _made(tree: ast.Module, path: str) -> int:
    """The line that gives a parameter its first value; 0 where that is not the only one."""
    lines = {
        node.lineno
        for node in ast.walk(tree)
        if isinstance(node, ast.Assign) and not is_step(node)
        for target in node.targets
        if _is_like(target, path)
    }
    return lines.pop() if len(lines) == 1 else 0


def _is_like(target: ast.expr, path: str) -> bool:
    """Whether an assignment's target may be a parameter: by its name, or by the attribute's.

    Of a dict's key the beginning counts, as in ``parameters["W" + str(i)]``.
    """
    if isinstance(target, ast.Attribute):
        return path.endswith(f".{target.attr}")
    if isinstance(target, ast.Subscript):
        keys = [n.value for n in ast.walk(target.slice) if isinstance(n, ast.Constant)]
        base = ast.unparse(target.value)
        return any(type(key) is str and path.startswith(f"{base}['{key}") for key in keys)
    return ast.unparse(target) == path
