"""Writes a design as PyTorch code: the lines of the network for the inspector, and a standalone file."""

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
    locate_lines,
    require_valid,
)
from cnnstudio.interchange.interpreter.names import class_name as class_name_of
from cnnstudio.interchange.interpreter.names import comment_text, defined_names
from cnnstudio.interchange.locks import locked_module, may_have_weights
from cnnstudio.interchange.pytorch.file import NO_SOFTMAX, RESERVED_NAMES, PyTorchFile, TrainingDistance
from cnnstudio.layers.base import Group


def layer_code(network: Network, analysis: Analysis | None = None) -> list[CodeLine]:
    """The lines of the layers, each with its node's id. For a layer with an error, a comment explains it.

    Pass the `analysis` if there is one already; otherwise the network is analyzed.
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
    resize: str = "fill",
    notice: str = "",
    answering: tuple[float, float] | None = None,
    distance: TrainingDistance | None = None,
    flip: bool = False,
    analysis: Analysis | None = None,
) -> str:
    """A Python file with the network as a class, whose state dict has the same names as the weights of a run.

    It needs torch, safetensors if it loads a `weights_file`, and Pillow to read images. `mean` and `std`
    normalize each channel, for pixels from 0 to 1; `resize` (fill, fit, stretch) is how images of another
    shape are brought to that of the input; `notice` says under which terms the weights are; `answering` has
    the temperature that calibrates confidences, and the least confidence of an answer, and `distance` how
    images are compared with the training images besides; with `flip`, `classify` averages the logits of each
    image and its mirror image. Raises CodeError if the network has problems.
    """
    network_steps = chain(network, require_valid(network, analysis), logits=True)
    helpers = helper_sources(network_steps.steps, lambda layer: layer.pytorch_helpers())
    name = class_name or class_name_of(network.name)
    file = PyTorchFile(
        title=comment_text(network.name) or "A network",
        class_name=f"{name}Network" if name in {*defined_names(helpers), *RESERVED_NAMES} else name,
        input=network.input,
        output=network_steps.output or network.input,
        weights_file=weights_file,
        classes=tuple(classes),
        mean=tuple(map(float, mean)),
        std=tuple(map(float, std)),
        resize=resize,
        notice=comment_text(notice),
        answering=answering,
        distance=distance,
        flip=flip,
    )
    lines = [line for _, line in _Writer(named=True).steps(network_steps.steps, 0)]
    if ends_in_softmax(network):
        lines.append(f"# {NO_SOFTMAX}")
    return file.source(lines, helpers)


def file_code(network: Network, analysis: Analysis | None = None) -> list[CodeLine]:
    """The lines of `write_module`, each with the id of its node. Raises CodeError like `write_module`."""
    analysis = require_valid(network, analysis)
    steps = chain(network, analysis, logits=True).steps
    return locate_lines(write_module(network, analysis=analysis), list(_Writer(named=True).steps(steps, 0)))


class _Writer:
    """Writes steps as lines. `named`: as (name, module) pairs for an OrderedDict, named like the weights."""

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
                is_locked = step.is_locked and may_have_weights(step.layer)
                for suffix, code in step.layer.pytorch_code(step.shape):
                    code = locked_module(code, suffix) if is_locked else code
                    yield step.node.id, INDENT * depth + self._entry(step.node.id, suffix, code)

    def _entry(self, node_id: str, suffix: str, code: str) -> str:
        name = f"{node_id}_{suffix}" if suffix else node_id
        return f'("{name}", {code}),' if self._named else f"{code},"

    def _group(self, step: Step, group: Group, depth: int) -> Iterator[CodeLine]:
        expression = f"[{BODY}]" if group.has_branches else BODY
        if step.inner_shapes and not step.problem:
            expression = group.pytorch_group_code(step.shape, step.inner_shapes, BODY)
            if step.is_locked and group.group_parameter_count(step.shape, step.inner_shapes):
                expression = locked_module(expression, "")
        before, after = self._entry(step.node.id, "", expression).split(BODY)
        node_id, indent = step.node.id, INDENT * depth
        if group.has_branches:
            yield node_id, indent + before
            for body in step.bodies:
                yield from self._body(node_id, body, depth + 1, "", ",")
            yield node_id, indent + after
        elif len(step.bodies) == 1:
            once = group.repeats_body and step.bodies[0].count == 1
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
        """The lines of a body. `once`: a Repeat of 1 is written as a list of one copy, to be recognizable."""
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
