"""Writes a design as Keras code: a Sequential model, or the functional style if it has groups."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from cnnstudio.design.analysis.analysis import Analysis
from cnnstudio.design.network import Network, Node
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
from cnnstudio.interchange.interpreter.names import class_name, comment_text, scope_name, string_literal
from cnnstudio.interchange.keras.models import WEIGHTED_LAYERS
from cnnstudio.interchange.locks import locked_call, may_have_weights
from cnnstudio.layers.base import Group, Shape


def layer_code(network: Network, analysis: Analysis | None = None) -> list[CodeLine]:
    """The lines of the layers, each with its node's id. For a layer with an error, a comment explains it.

    Pass the `analysis` if there is one already; otherwise the network is analyzed.
    """
    return _lines(network, chain(network, analysis, logits=False).steps)


def write_model(network: Network, analysis: Analysis | None = None) -> str:
    """A Keras script that builds and compiles the model. Raises CodeError if the network has problems."""
    steps = chain(network, require_valid(network, analysis), logits=False).steps
    helpers = helper_sources(steps, lambda layer: layer.keras_helpers())
    lines = [line for _, line in _lines(network, steps)]
    name = string_literal(class_name(network.name))
    if _has_groups(steps):
        model = [*lines, f"model = keras.Model(inputs, x, name={name})"]
    else:
        model = ["model = keras.Sequential([", *(INDENT + line for line in lines), f"], name={name})"]
    loss = f"keras.losses.SparseCategoricalCrossentropy(from_logits={not ends_in_softmax(network)})"
    return "\n".join(
        [
            f'"""{comment_text(network.name) or "A network"}, written by CNN Studio.',
            "",
            "Input: images (N, height, width, channels), normalized in the same way as for training.",
            '"""',
            "",
            "import keras",
            "from keras import layers",
            "",
            *(f"\n{source.strip()}\n" for source in helpers),
            *([""] if helpers else []),
            *model,
            "model.compile(",
            f'{INDENT}optimizer="adam",',
            f"{INDENT}loss={loss},",
            f'{INDENT}metrics=["accuracy"],',
            ")",
            "",
            'if __name__ == "__main__":',
            f"{INDENT}model.summary()",
            "",
        ]
    )


def file_code(network: Network, analysis: Analysis | None = None) -> list[CodeLine]:
    """The lines of `write_model`, each with the id of its node. Raises CodeError like `write_model`."""
    analysis = require_valid(network, analysis)
    return locate_lines(write_model(network, analysis), layer_code(network, analysis))


def _lines(network: Network, steps: Sequence[Step]) -> list[CodeLine]:
    model_input = f"keras.Input({_channels_last(network.input)})"
    if _has_groups(steps):
        return [(None, f"inputs = {model_input}"), (None, "x = inputs"), *_functional(steps, 0)]
    return [(None, f"{model_input},"), *_sequential(steps)]


def _channels_last(shape: Shape) -> tuple[int, ...]:
    return (*shape.dims[1:], shape.dims[0])


def _has_groups(steps: Sequence[Step]) -> bool:
    return any(isinstance(step.layer, Group) for step in steps)


def _sequential(steps: Sequence[Step]) -> Iterator[CodeLine]:
    for step in steps:
        if step.problem:
            yield _comment(step)
        else:
            yield from ((step.node.id, line) for line in _expression(step, "", ","))


def _expression(step: Step, before: str, after: str) -> list[str]:
    """The layer's code. Several calls are a Sequential, so that they are read back as one layer."""
    calls = step.layer.keras_code(step.shape)
    if step.is_locked and may_have_weights(step.layer):
        calls = [locked_call(call, WEIGHTED_LAYERS) for call in calls]
    if len(calls) == 1:
        return [f"{before}{calls[0]}{after}"]
    return [f"{before}keras.Sequential([", *(f"{INDENT}{call}," for call in calls), f"]){after}"]


def _functional(steps: Sequence[Step], level: int) -> Iterator[CodeLine]:
    """Lines that read and assign `x`. `level` is the number of enclosing groups, for unique names."""
    for step in steps:
        if step.problem:
            yield _comment(step)
        if isinstance(step.layer, Group):
            yield from _group(step, step.layer, level)
        elif not step.problem:
            yield from ((step.node.id, line) for line in _expression(step, "x = ", "(x)"))


def _group(step: Step, group: Group, level: int) -> Iterator[CodeLine]:
    parts = [[body] for body in step.bodies] if group.has_branches else [list(step.bodies)]
    lines = [BODY] * len(parts)

    def unique(name: str) -> str:
        return name if level == 0 else f"{name}_{level + 1}"

    if step.inner_shapes and not step.problem:
        lines = group.keras_group_code(step.shape, step.inner_shapes, [[BODY]] * len(parts), unique)
    following = iter(parts)
    for line in lines:
        if step.is_locked and BODY not in line:
            line = locked_call(line, WEIGHTED_LAYERS)
        if line.endswith(BODY):
            indent = line.removesuffix(BODY)
            inside = _bodies(step, group, next(following), unique("copy"), level + 1)
            yield from ((node_id, indent + each) for node_id, each in inside)
        else:
            yield step.node.id, line


def _bodies(step: Step, group: Group, bodies: Sequence[Body], copy: str, level: int) -> Iterator[CodeLine]:
    """The lines inside a group, within a loop or scope by which the reader recognizes the group."""
    written = [(list(_functional(body.steps, level)), body.count) for body in bodies]
    if group.repeats_body:
        yield from _loop(step.node.id, written, copy)
    elif group.is_transparent:
        yield from _scope(step.node, [line for lines, _ in written for line in lines])
    else:
        yield from (line for lines, _ in written for line in lines)


def _scope(node: Node, lines: Sequence[CodeLine]) -> Iterator[CodeLine]:
    """Layers in a name scope. An empty block is an Identity, because a scope cannot be empty."""
    if not lines:
        yield node.id, "x = layers.Identity()(x)"
        return
    name = node.name or node.id
    scope = scope_name(name) or node.id
    yield node.id, f"with keras.name_scope({string_literal(scope)}):"
    if scope != name:
        yield node.id, f"{INDENT}{string_literal(name)}"
    yield from _indented(lines)


def _loop(node_id: str, written: Sequence[tuple[list[CodeLine], int]], copy: str) -> Iterator[CodeLine]:
    """A loop over copies. If their code differs (the first may have another input), the loop has branches."""
    if not written:
        return  # behind an error, where nothing is known of the body
    total = sum(count for _, count in written)
    if all(lines == written[0][0] for lines, _ in written):
        if written[0][0]:
            yield node_id, f"for _ in range({total}):"
            yield from _indented(written[0][0])
        return
    yield node_id, f"for {copy} in range({total}):"
    end = 0
    for index, (lines, count) in enumerate(written):
        end += count
        condition = "else" if index == len(written) - 1 else f"{'elif' if index else 'if'} {copy} < {end}"
        yield node_id, f"{INDENT}{condition}:"
        yield from _indented(_indented(lines))


def _indented(lines: Iterable[CodeLine]) -> Iterator[CodeLine]:
    return ((node_id, INDENT + line) for node_id, line in lines)


def _comment(step: Step) -> CodeLine:
    return step.node.id, f"# {comment_text(step.problem)}"
