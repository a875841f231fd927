"""A design as PyTorch code: the lines of the network for the inspector, and a file that stands alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnnstudio.design.analysis.analysis import Analysis
from cnnstudio.design.network import Network
from cnnstudio.interchange.chain import (
    BODY,
    INDENT,
    Body,
    CodeLine,
    Step,
    chain,
    ends_in_softmax,
    helper_sources,
    located,
    require_whole,
)
from cnnstudio.interchange.interpreter.names import class_name as class_name_of
from cnnstudio.interchange.interpreter.names import comment_text, defined_names
from cnnstudio.interchange.pytorch.file import NO_SOFTMAX, OWN_NAMES, PyTorchFile
from cnnstudio.layers.base import Group


def layer_code(network: Network, analysis: Analysis | None = None) -> list[CodeLine]:
    """The network's lines, each with the id of its node. A faulty layer is a comment that says what is wrong.

    `analysis` spares a second one where the caller has it.
    """
    return list(_Writer(named=False).steps(chain(network, analysis, logits=True).steps, 0))


def write_module(
    network: Network,
    class_name: str | None = None,
    weights_file: str | None = None,
    *,
    classes: Sequence[str] = (),
    mean: Sequence[float] = (),
    std: Sequence[float] = (),
    analysis: Analysis | None = None,
) -> str:
    """A Python file with the network as a class, whose state dict has the names of CNN Studio's own weights.

    It needs torch; safetensors too where it loads `weights_file`, and Pillow to read an image. `mean` and
    `std` are the normalization of each channel, for pixels from 0 to 1. Raises CodeError for a network with
    problems.
    """
    whole = chain(network, require_whole(network, analysis), logits=True)
    helpers = helper_sources(whole.steps, lambda layer: layer.pytorch_helpers())
    name = class_name or class_name_of(network.name)
    frame = PyTorchFile(
        title=comment_text(network.name) or "A network",
        class_name=f"{name}Network" if name in {*defined_names(helpers), *OWN_NAMES} else name,
        input=network.input,
        output=whole.output or network.input,
        weights_file=weights_file,
        classes=tuple(classes),
        mean=tuple(map(float, mean)),
        std=tuple(map(float, std)),
    )
    lines = [line for _, line in _Writer(named=True).steps(whole.steps, 0)]
    if ends_in_softmax(network):
        lines.append(f"# {NO_SOFTMAX}")
    return frame.source(lines, helpers)


def file_code(network: Network, analysis: Analysis | None = None) -> list[CodeLine]:
    """The lines of `write_module`, each with the id of its node. Raises CodeError as that does."""
    analysis = require_whole(network, analysis)
    steps = chain(network, analysis, logits=True).steps
    return located(write_module(network, analysis=analysis), list(_Writer(named=True).steps(steps, 0)))


class _Writer:
    """Writes steps as lines. Named, each is a pair for an OrderedDict and bears the name of its weights."""

    def __init__(self, named: bool) -> None:
        self._named = named
        self._open = "nn.Sequential(OrderedDict([" if named else "nn.Sequential("
        self._close = "]))" if named else ")"

    def steps(self, steps: Sequence[Step], depth: int) -> Iterator[CodeLine]:
        for step in steps:
            if step.problem:
                yield step.node.id, f"{INDENT * depth}# {comment_text(step.problem)}"
            if isinstance(step.layer, Group):
                yield from self._group(step, step.layer, depth)
            elif not step.problem:
                for suffix, code in step.layer.pytorch(step.shape):
                    yield step.node.id, INDENT * depth + self._entry(step.node.id, suffix, code)

    def _entry(self, node_id: str, suffix: str, code: str) -> str:
        name = f"{node_id}_{suffix}" if suffix else node_id
        return f'("{name}", {code}),' if self._named else f"{code},"

    def _group(self, step: Step, group: Group, depth: int) -> Iterator[CodeLine]:
        expression = f"[{BODY}]" if group.branches else BODY
        if step.inside and not step.problem:
            expression = group.pytorch_group(step.shape, step.inside, BODY)
        before, after = self._entry(step.node.id, "", expression).split(BODY)
        node_id, indent = step.node.id, INDENT * depth
        if group.branches:
            yield node_id, indent + before
            for body in step.bodies:
                yield from self._body(node_id, body, depth + 1, "", ",")
            yield node_id, indent + after
        elif len(step.bodies) == 1:
            once = group.repeats and step.bodies[0].count == 1
            yield from self._body(node_id, step.bodies[0], depth, before, after, once=once)
        else:
            yield node_id, f"{indent}{before}nn.Sequential("
            for body in step.bodies:
                prefix = "*" if body.count > 1 else ""
                yield from self._body(node_id, body, depth + 1, prefix, ",")
            yield node_id, f"{indent}){after}"

    def _body(
        self, node_id: str, body: Body, depth: int, before: str, after: str, *, once: bool = False
    ) -> Iterator[CodeLine]:
        """`once`: a single copy, which stands for itself, but as a copy, so that reading knows the group."""
        indent = INDENT * depth
        opening, closing = self._open, self._close
        if body.count > 1 or once:
            opening, closing = f"[{opening}", f"{closing} for _ in range({body.count})]"
            if once:
                opening = f"*{opening}"
            elif before != "*":
                opening, closing = f"nn.Sequential(*{opening}", f"{closing})"
        lines = list(self.steps(body.steps, depth + 1))
        if lines:
            yield node_id, f"{indent}{before}{opening}"
            yield from lines
            yield node_id, f"{indent}{closing}{after}"
        else:
            yield node_id, f"{indent}{before}nn.Sequential(){after}"
