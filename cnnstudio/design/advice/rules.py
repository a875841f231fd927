"""The rules behind the advice: each examines the paths through a network and yields what could be better.

Rules go by the role, receptive field and parameters of a layer, never by its type. The thresholds below are
rules of thumb.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from cnnstudio.design.advice.paths import LayerPath, Paths
from cnnstudio.design.analysis.analysis import LayerReport
from cnnstudio.design.findings import Advice
from cnnstudio.design.network import Network, without_final_softmax
from cnnstudio.layers.base import (
    Fix,
    Group,
    InsertBefore,
    Layer,
    MoveAfter,
    Remove,
    Replace,
    Role,
    SetParameters,
)
from cnnstudio.layers.shape import format_sizes

_HEAVY_SHARE = 0.9
_MANY_PARAMETERS = 50_000
_HIGH_DROPOUT_RATE = 0.7
_DEEP = 10
_DEEP_FOR_SATURATION = 6
_WIDE_STRIDE = 4
_SMALL_IMAGE = 64
_SATURATING = ("sigmoid", "tanh")

_RELU = SetParameters({"activation": "relu"}, "set activation to relu")
_LINEAR = SetParameters({"activation": "linear"}, "set activation to linear")


def _role(report: LayerReport) -> Role:
    return report.node.layer.role


def _activation(layer: Layer) -> str:
    return str(getattr(layer, "activation", "linear"))


def _advice(rule: str, report: LayerReport, message: str, why: str, fix: Fix | None = None) -> Advice:
    return Advice(report.node.id, f"{rule}:{report.node.id}", message, why, fix)


def no_nonlinearity(paths: Paths) -> Iterator[Advice]:
    linear = "Two linear layers in a row can compute no more than a single one."
    pooled = (
        "A maximum alone adds little nonlinearity; an activation lets the two layers learn more together."
    )
    for path in paths.all:
        before: LayerReport | None = None
        normalized, why = False, linear
        for report in path:
            if _role(report) is Role.LINEAR:
                if before is not None:
                    message = f"There is no activation between {before.node.title} and {report.node.title}"
                    if normalized:
                        yield _advice("no-nonlinearity", report, message, why, InsertBefore("Activation"))
                    else:
                        yield _advice("no-nonlinearity", before, message, why, _RELU)
                before, normalized, why = report, False, linear
            normalized = normalized or _role(report) is Role.NORMALIZATION
            if _role(report) is Role.POOLING:
                why = pooled if report.node.layer.is_nonlinear else why
            elif report.node.is_group or report.node.layer.is_nonlinear:
                before = None


def bias_before_batch_normalization(paths: Paths) -> Iterator[Advice]:
    for before, report in _pairs(paths):
        layer = before.node.layer
        if report.node.layer.cancels_bias and getattr(layer, "use_bias", False) and not layer.is_nonlinear:
            yield _advice(
                "bias-before-batch-normalization",
                before,
                f"{before.node.title} adds a bias that {report.node.title} removes again",
                "Batch normalization subtracts the mean of each channel, and with it the bias.",
                SetParameters({"use_bias": False}, "turn off its bias"),
            )


def heavy_dense(paths: Paths) -> Iterator[Advice]:
    total = paths.analysis.parameters if paths.analysis.has_known_costs else 0
    for path in paths.all:
        flatten: LayerReport | None = None
        for report in path:
            is_heavy = report.parameters >= _HEAVY_SHARE * total and total >= _MANY_PARAMETERS
            if flatten and is_heavy and _role(report) is Role.LINEAR and len(paths.linear_layers) > 1:
                share = f"{min(report.parameters / total, 0.999):.1%}".replace(".0%", "%")
                yield _advice(
                    "heavy-dense",
                    report,
                    f"{report.node.title} has {share} of all parameters",
                    "The mean of each feature map instead of all its values saves most of them, but then the "
                    "network often needs more convolutions and more epochs to become as accurate.",
                    Replace(flatten.node.id, flatten.node.title, "GlobalAveragePooling2D"),
                )
            if _role(report) is Role.FLATTEN:
                flatten = report if report.input and max(report.input.dims[1:], default=1) > 1 else None
            elif _role(report) is Role.LINEAR or report.node.is_group:
                flatten = None


def dropout_before_normalization(paths: Paths) -> Iterator[Advice]:
    network = paths.analysis.network
    for path in paths.all:
        dropout: LayerReport | None = None
        for index, report in enumerate(path):
            if _role(report) is Role.DROPOUT:
                dropout = report
            elif _role(report) is Role.NORMALIZATION and dropout is not None:
                # Only what normalizes over the batch keeps statistics, and so cancels a bias.
                if report.node.layer.cancels_bias:
                    last = _last_normalization(path[index:])
                    movable = _are_siblings(network, dropout.node.id, last.node.id)
                    yield _advice(
                        "dropout-before-normalization",
                        dropout,
                        f"{dropout.node.title} comes before {report.node.title}",
                        "Dropout changes the variance only during training, so the statistics that the "
                        "normalization keeps do not quite fit afterwards (Li et al. 2018); the accuracy of "
                        "small networks hardly changes.",
                        MoveAfter(last.node.id, last.node.title) if movable else None,
                    )
                dropout = None
            elif _role(report) is Role.LINEAR or report.node.is_group:
                dropout = None


def _last_normalization(path: LayerPath) -> LayerReport:
    """The last normalization before the next linear layer; the path starts with a normalization."""
    last = path[0]
    for report in path:
        if _role(report) is Role.LINEAR or report.node.is_group:
            break
        if _role(report) is Role.NORMALIZATION:
            last = report
    return last


def _are_siblings(network: Network, *ids: str) -> bool:
    """Whether the nodes are in the same list and it is not repeated.

    In a repeated body, moving a layer to the end puts it before the start of the next copy.
    """
    parents = {network.place(node_id).parent for node_id in ids}
    around = (network.node(node_id).layer for node_id in network.ancestors(ids[0]))
    return len(parents) == 1 and not any(isinstance(group, Group) and group.copies() > 1 for group in around)


def activation_on_output(paths: Paths) -> Iterator[Advice]:
    for report in _score_layers(paths):
        activation = _activation(report.node.layer)
        if activation in ("linear", "softmax"):
            continue
        why = "Cross-entropy expects unbounded scores; an activation limits how confident the network can be."
        if activation == "relu":
            why = "Negative scores become 0 and have no gradient, so a class that gets one cannot recover."
        yield _advice(
            "activation-on-output",
            report,
            f"{report.node.title} applies {activation} to the class scores",
            why,
            Remove() if _role(report) is Role.ACTIVATION else _LINEAR,
        )


def early_softmax(paths: Paths) -> Iterator[Advice]:
    output_ids = {report.node.id for report in _score_layers(paths)}
    for top in without_final_softmax(paths.analysis.network.nodes):
        for node in top.walk_active():
            if _activation(node.layer) != "softmax":
                continue
            report = paths.analysis[node.id]
            if node.id in output_ids:
                why = "The loss applies softmax itself; applied twice, it levels out the scores."
                fix: Fix = Remove() if node.layer.role is Role.ACTIVATION else _LINEAR
                message = f"{node.title} applies softmax to the scores, but is not the last layer"
                yield _advice("softmax-twice", report, message, why, fix)
            else:
                why = "Softmax makes the channels sum to 1, so that each one suppresses the others."
                message = f"{node.title} applies softmax in the middle of the network"
                yield _advice("softmax-inside", report, message, why, _RELU)


def small_receptive_field(paths: Paths) -> Iterator[Advice]:
    images = [each for each in paths.main if each.output is not None and each.output.is_image]
    has_convolution = any(each.output is not None and each.output.is_image for each in paths.linear_layers)
    output = paths.analysis.output
    if not images or not has_convolution or output is None or output.is_image:
        return
    last, image = images[-1], paths.analysis.network.input
    field, size = last.receptive_field_size, format_sizes(image.dims[1:])
    if field is not None and 4 * field[0] * field[1] < image.height * image.width:
        yield _advice(
            "small-receptive-field",
            last,
            f"After {last.node.title} the receptive field is only {format_sizes(field)} of {size} pixels",
            "A feature map cannot detect anything larger; pooling, strides and more layers widen the field.",
        )


def pooling_twice(paths: Paths) -> Iterator[Advice]:
    for before, report in _pairs(paths):
        if _role(before) is _role(report) is Role.POOLING:
            yield _advice(
                "pooling-twice",
                report,
                f"{report.node.title} directly follows {before.node.title}",
                "Each pooling layer discards detail; a convolution in between could make use of it first.",
                Remove(),
            )


def high_dropout(paths: Paths) -> Iterator[Advice]:
    for report in paths.layers:
        rate = getattr(report.node.layer, "rate", 0.0)
        if _role(report) is Role.DROPOUT and rate > _HIGH_DROPOUT_RATE:
            yield _advice(
                "high-dropout",
                report,
                f"{report.node.title} sets {rate:.0%} of all values to zero",
                "So little is left at each step that the layers after it learn mostly noise.",
                SetParameters({"rate": 0.5}, "set rate to 0.5"),
            )


def skipped_pixels(paths: Paths) -> Iterator[Advice]:
    for report in paths.layers:
        layer, shape = report.node.layer, report.input
        if shape is None or not shape.is_image or report.problem is not None:
            continue
        field = layer.receptive_field(shape)
        stride, kernel = (int(field.stride[0]), int(field.stride[1])), field.pixel_size
        if kernel is None or not any(side < step for side, step in zip(kernel, stride, strict=True)):
            continue
        needed = max(stride[0], kernel[0]), max(stride[1], kernel[1])
        wider = [{name: needed} for name in ("kernel_size", "pool_size")]
        fitting = [values for values in wider if layer.with_values(values) != layer]
        text = f"enlarge its window to {format_sizes(needed)}"
        yield _advice(
            "skipped-pixels",
            report,
            f"{report.node.title} has a window of {format_sizes(kernel)}, but a stride of "
            f"{format_sizes(stride)}",
            "The pixels between the windows are never used.",
            SetParameters(fitting[0], text) if fitting else None,
        )


def wide_stride(paths: Paths) -> Iterator[Advice]:
    image = paths.analysis.network.input
    for report in paths.linear_layers:
        strides = getattr(report.node.layer, "strides", (1, 1))
        if max(strides) >= _WIDE_STRIDE and max(image.dims[1:]) <= _SMALL_IMAGE:
            yield _advice(
                "wide-stride",
                report,
                f"{report.node.title} has a stride of {format_sizes(strides)} on images of "
                f"{format_sizes(image.dims[1:])}",
                "In small images a few pixels carry the detail, and a stride this large loses it at once.",
                SetParameters({"strides": (2, 2)}, "set strides to 2 × 2"),
            )


def activation_twice(paths: Paths) -> Iterator[Advice]:
    for before, report in _pairs(paths):
        first, second = _activation(before.node.layer), _activation(report.node.layer)
        if _role(report) is Role.ACTIVATION and "linear" not in (first, second) and second != "softmax":
            yield _advice(
                "activation-twice",
                report,
                f"{report.node.title} applies {second} right after the {first} of {before.node.title}",
                "A second activation adds nothing to learn and only compresses the values.",
                Remove(),
            )


def saturating_activation(paths: Paths) -> Iterator[Advice]:
    if len(paths.linear_layers) < _DEEP_FOR_SATURATION:
        return
    output_ids = {report.node.id for report in paths.output_layers}
    for report in paths.layers:
        activation = _activation(report.node.layer)
        is_hidden = _role(report) in (Role.LINEAR, Role.ACTIVATION) and report.node.id not in output_ids
        if is_hidden and activation in _SATURATING:
            yield _advice(
                "saturating-activation",
                report,
                f"{report.node.title} applies {activation} in a network of {len(paths.linear_layers)} "
                "trained layers",
                "It is flat away from zero, so the gradient vanishes on its way through many layers.",
                _RELU,
            )


def dropout_on_scores(paths: Paths) -> Iterator[Advice]:
    for report in _score_layers(paths):
        if _role(report) is Role.DROPOUT:
            yield _advice(
                "dropout-on-scores",
                report,
                f"{report.node.title} sets class scores to zero",
                "During training the score of the correct class is then often missing, whatever was learned.",
                Remove(),
            )


def normalized_twice(paths: Paths) -> Iterator[Advice]:
    for before, report in _pairs(paths):
        if _role(before) is _role(report) is Role.NORMALIZATION:
            yield _advice(
                "normalized-twice",
                report,
                f"{report.node.title} directly follows {before.node.title}",
                "The second normalization has almost no effect, but costs time and weights.",
                Remove(),
            )


def deep_without_normalization(paths: Paths) -> Iterator[Advice]:
    is_deep = len(paths.linear_layers) >= _DEEP
    if is_deep and not any(_role(report) is Role.NORMALIZATION for report in paths.layers):
        yield Advice(
            None,
            "deep-without-normalization",
            f"The network has {len(paths.linear_layers)} trained layers, but no normalization",
            "Across many layers values explode or vanish, and learning stalls; BatchNormalization after each "
            "convolution keeps them in range.",
        )


def _pairs(paths: Paths) -> Iterator[tuple[LayerReport, LayerReport]]:
    for path in paths.all:
        yield from pairwise(path)


def _score_layers(paths: Paths) -> LayerPath:
    """From the last linear layer to the output, if that is a vector of class scores; else empty.

    Empty as well while the network has problems: the last layer so far need not be that of the scores.
    """
    output = paths.analysis.output
    is_complete = output is not None and output.is_flat and not paths.analysis.problems
    return paths.output_layers if is_complete else []


RULES: tuple[Callable[[Paths], Iterator[Advice]], ...] = (
    no_nonlinearity,
    bias_before_batch_normalization,
    heavy_dense,
    dropout_before_normalization,
    activation_on_output,
    early_softmax,
    small_receptive_field,
    pooling_twice,
    high_dropout,
    skipped_pixels,
    wide_stride,
    activation_twice,
    saturating_activation,
    dropout_on_scores,
    normalized_twice,
    deep_without_normalization,
)
