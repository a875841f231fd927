"""A design as Keras code: Sequential for a plain list of layers, the functional style where it has groups."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cnnstudio.design.analysis import Analysis
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
from cnnstudio.interchange.names import class_name, comment_text, quoted
from cnnstudio.layers.base import Group, Shape


def layer_code(network: Network, analysis: Analysis | None = None) -> list[CodeLine]:
    """The network's lines, each with the id of its node. A faulty layer is a comment that says what is wrong.

    `analysis` spares a second one where the caller has it.
    """
    return _lines(network, chain(network, analysis, logits=False).steps)


def write_model(network: Network) -> str:
    """A Keras script that makes and compiles the model. Raises CodeError for a network with problems."""
    steps = chain(network, require_whole(network), logits=False).steps
    helpers = helper_sources(steps, lambda layer: layer.keras_helpers())
    lines = [line for _, line in _lines(network, steps)]
    name = quoted(class_name(network.name))
    if _has_groups(steps):
        model = [*lines, f'model = keras.Model(inputs, x, name={name})']
    else:
        model = ["model = keras.Sequential([", *(INDENT + line for line in lines), f'], name={name})']
    loss = f"keras.losses.SparseCategoricalCrossentropy(from_logits={not ends_in_softmax(network)})"
    return "\n".join(
        [
            f'"""{comment_text(network.name) or "A network"}, written by CNN Studio.',
            "",
            "Keras takes pictures as (N, height, width, channels), with the normalisation that you train on.",
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
    """The lines of `write_model`, each with the id of its node. Raises CodeError as that does."""
    analysis = require_whole(network, analysis)
    return located(write_model(network), layer_code(network, analysis))


def _lines(network: Network, steps: Sequence[Step]) -> list[CodeLine]:
    entrance = f"keras.Input({_channels_last(network.input)})"
    if _has_groups(steps):
        return [(None, f"inputs = {entrance}"), (None, "x = inputs"), *_functional(steps, 0)]
    return [(None, f"{entrance},"), *_sequential(steps)]


def _channels_last(shape: Shape) -> tuple[int, ...]:
    return (*shape.dims[1:], shape.dims[0])


def _has_groups(steps: Sequence[Step]) -> bool:
    return any(isinstance(step.layer, Group) for step in steps)


def _sequential(steps: Sequence[Step]) -> Iterator[CodeLine]:
    for step in steps:
        if step.problem:
            yield _comment(step)
        else:
            yield from ((step.node.id, f"{code},") for code in step.layer.keras(step.shape))


def _functional(steps: Sequence[Step], level: int) -> Iterator[CodeLine]:
    """Lines that read and write `x`. `level` counts the groups around them, for names of their own."""
    for step in steps:
        if step.problem:
            yield _comment(step)
        if isinstance(step.layer, Group):
            yield from _group(step, step.layer, level)
        elif not step.problem:
            yield from ((step.node.id, f"x = {code}(x)") for code in step.layer.keras(step.shape))


def _group(step: Step, group: Group, level: int) -> Iterator[CodeLine]:
    parts = [[body] for body in step.bodies] if group.branches else [list(step.bodies)]
    lines = [BODY] * len(parts)
    if step.inside and not step.problem:

        def free(name: str) -> str:
            return name if level == 0 else f"{name}_{level + 1}"

        lines = group.keras_group(step.shape, step.inside, [[BODY]] * len(parts), free)
    following = iter(parts)
    for line in lines:
        if line == BODY:
            yield from _bodies(step.node.id, next(following), level + 1)
        else:
            yield step.node.id, line


def _bodies(node_id: str, bodies: Sequence[Body], level: int) -> Iterator[CodeLine]:
    for body in bodies:
        lines = list(_functional(body.steps, level))
        if body.count == 1:
            yield from lines
        elif lines:
            yield node_id, f"for _ in range({body.count}):"
            yield from ((node_id, INDENT + line) for node_id, line in lines)


def _comment(step: Step) -> CodeLine:
    return step.node.id, f"# {comment_text(step.problem)}"
