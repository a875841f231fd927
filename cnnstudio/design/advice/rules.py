"""The rules of advice: each looks at the lines of a network and says what could be better.

They know layers by their roles, windows and parameters, never by their types.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from itertools import pairwise

from cnnstudio.design.advice.paths import Line, Lines
from cnnstudio.design.analysis.analysis import LayerReport
from cnnstudio.design.findings import Advice
from cnnstudio.design.network import Network, giving_logits
from cnnstudio.layers.base import (
    Exchange,
    Fix,
    Group,
    InsertBefore,
    Layer,
    MoveBehind,
    Remove,
    Role,
    SetParameters,
)
from cnnstudio.layers.shape import times

_SHARE = 0.9
_MANY_PARAMETERS = 50_000
_HIGH_RATE = 0.7
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


def no_nonlinearity(lines: Lines) -> Iterator[Advice]:
    why = "Two linear layers in a row can do no more than a single one."
    for line in lines.every:
        before: LayerReport | None = None
        normalized = False
        for report in line:
            if _role(report) is Role.MIXES:
                if before is not None:
                    message = f"{before.node.title} leads to {report.node.title} with no activation between"
                    if normalized:
                        yield _advice("no-nonlinearity", report, message, why, InsertBefore("Activation"))
                    else:
                        yield _advice("no-nonlinearity", before, message, why, _RELU)
                before, normalized = report, False
            normalized = normalized or _role(report) is Role.NORMALIZES
            if report.node.is_group or report.node.layer.bends:
                before = None


def bias_before_batch_normalization(lines: Lines) -> Iterator[Advice]:
    for before, report in _pairs(lines):
        layer = before.node.layer
        if report.node.layer.cancels_bias and getattr(layer, "use_bias", False) and not layer.bends:
            yield _advice(
                "bias-before-batch-normalization",
                before,
                f"{before.node.title} adds a bias that {report.node.title} takes away again",
                "Batch normalization subtracts the mean of each channel, and the bias with it.",
                SetParameters({"use_bias": False}, "switch its bias off"),
            )


def heavy_dense(lines: Lines) -> Iterator[Advice]:
    total = lines.analysis.parameters
    for line in lines.every:
        flatten: LayerReport | None = None
        for report in line:
            heavy = report.parameters >= _SHARE * total and total >= _MANY_PARAMETERS
            if flatten and heavy and _role(report) is Role.MIXES and len(lines.mixing) > 1:
                share = f"{min(report.parameters / total, 0.999):.1%}".replace(".0%", "%")
                yield _advice(
                    "heavy-dense",
                    report,
                    f"{report.node.title} has {share} of all parameters",
                    "So many weights learn images by heart; the mean of each feature map may do as well.",
                    Exchange(flatten.node.id, flatten.node.title, "GlobalAveragePooling2D"),
                )
            if _role(report) is Role.FLATTENS:
                flatten = report if report.input and max(report.input.dims[1:], default=1) > 1 else None
            elif _role(report) is Role.MIXES or report.node.is_group:
                flatten = None


def dropout_before_normalization(lines: Lines) -> Iterator[Advice]:
    network = lines.analysis.network
    for line in lines.every:
        dropping: LayerReport | None = None
        for index, report in enumerate(line):
            if _role(report) is Role.DROPS:
                dropping = report
            elif _role(report) is Role.NORMALIZES and dropping is not None:
                last = _last_normalization(line[index:])
                movable = _stand_together(network, dropping.node.id, last.node.id)
                yield _advice(
                    "dropout-before-normalization",
                    dropping,
                    f"{dropping.node.title} stands before {report.node.title}",
                    "Dropout changes the spread of the values only while training, so what the normalization "
                    "has learned does not fit afterwards (Li et al. 2018).",
                    MoveBehind(last.node.id, last.node.title) if movable else None,
                )
                dropping = None
            elif _role(report) is Role.MIXES or report.node.is_group:
                dropping = None


def _last_normalization(line: Line) -> LayerReport:
    """The last one before values are mixed anew, in a line that begins with one."""
    last = line[0]
    for report in line:
        if _role(report) is Role.MIXES or report.node.is_group:
            break
        if _role(report) is Role.NORMALIZES:
            last = report
    return last


def _stand_together(network: Network, *ids: str) -> bool:
    """Whether they stand in one list that comes once; of copies, the next one would follow with the first."""
    places = {network.place(node_id).parent for node_id in ids}
    around = (network.node(node_id).layer for node_id in network.ancestors(ids[0]))
    return len(places) == 1 and not any(isinstance(group, Group) and group.copies() > 1 for group in around)


def activation_on_output(lines: Lines) -> Iterator[Advice]:
    for report in _scores(lines):
        activation = _activation(report.node.layer)
        if activation in ("linear", "softmax"):
            continue
        why = "Cross-entropy takes scores of any sign and size; bent ones keep the network from being sure."
        if activation == "relu":
            why = "Scores below zero become 0 and have no gradient there, so such a class cannot recover."
        yield _advice(
            "activation-on-output",
            report,
            f"{report.node.title} applies {activation} to the class scores",
            why,
            Remove() if _role(report) is Role.BENDS else _LINEAR,
        )


def early_softmax(lines: Lines) -> Iterator[Advice]:
    ending = {report.node.id for report in _scores(lines)}
    for top in giving_logits(lines.analysis.network.nodes):
        for node in top.walk_active():
            if _activation(node.layer) != "softmax":
                continue
            report = lines.analysis[node.id]
            if node.id in ending:
                why = "The loss applies softmax itself; applied twice, sure and unsure answers look alike."
                fix: Fix = Remove() if node.layer.role is Role.BENDS else _LINEAR
                message = f"{node.title} applies softmax to the scores, but is not the end"
                yield _advice("softmax-twice", report, message, why, fix)
            else:
                why = "Softmax makes the channels share a sum of 1, so each pushes the others down."
                message = f"{node.title} applies softmax in the middle of the network"
                yield _advice("softmax-inside", report, message, why, _RELU)


def small_receptive_field(lines: Lines) -> Iterator[Advice]:
    images = [each for each in lines.main if each.output is not None and each.output.is_image]
    looks = any(each.output is not None and each.output.is_image for each in lines.mixing)
    if not images or not looks or lines.analysis.output is None or lines.analysis.output.is_image:
        return
    last, image = images[-1], lines.analysis.network.input
    field, size = last.receptive_field, times(image.dims[1:])
    if field is not None and 4 * field[0] * field[1] < image.height * image.width:
        yield _advice(
            "small-receptive-field",
            last,
            f"Behind {last.node.title} each value sees only {times(field)} of {size} pixels",
            "No feature map shows what is larger than its view; pooling, strides and more layers widen it.",
        )


def pooling_twice(lines: Lines) -> Iterator[Advice]:
    for before, report in _pairs(lines):
        if _role(before) is _role(report) is Role.POOLS:
            yield _advice(
                "pooling-twice",
                report,
                f"{report.node.title} follows {before.node.title} with nothing to learn between",
                "Each pooling gives away detail; a layer between could first make something of it.",
                Remove(),
            )


def high_dropout(lines: Lines) -> Iterator[Advice]:
    for report in lines.layers:
        rate = getattr(report.node.layer, "rate", 0.0)
        if _role(report) is Role.DROPS and rate > _HIGH_RATE:
            yield _advice(
                "high-dropout",
                report,
                f"{report.node.title} sets {rate:.0%} of all values to zero",
                "So little is left in each step that the layers behind it learn mostly from chance.",
                SetParameters({"rate": 0.5}, "set rate to 0.5"),
            )


def skipped_pixels(lines: Lines) -> Iterator[Advice]:
    for report in lines.layers:
        layer, shape = report.node.layer, report.input
        if shape is None or not shape.is_image or report.problem is not None:
            continue
        window = layer.window(shape)
        stride, kernel = (int(window.stride[0]), int(window.stride[1])), window.field
        if kernel is None or not any(side < step for side, step in zip(kernel, stride, strict=True)):
            continue
        needed = max(stride[0], kernel[0]), max(stride[1], kernel[1])
        wider = [{name: needed} for name in ("kernel_size", "pool_size")]
        fitting = [values for values in wider if layer.taking(values) != layer]
        words = f"make its window {times(needed)}"
        yield _advice(
            "skipped-pixels",
            report,
            f"{report.node.title} jumps {times(stride)} pixels, but looks at {times(kernel)}",
            "What lies between the windows is never looked at.",
            SetParameters(fitting[0], words) if fitting else None,
        )


def wide_stride(lines: Lines) -> Iterator[Advice]:
    image = lines.analysis.network.input
    for report in lines.mixing:
        strides = getattr(report.node.layer, "strides", (1, 1))
        if max(strides) >= _WIDE_STRIDE and max(image.dims[1:]) <= _SMALL_IMAGE:
            yield _advice(
                "wide-stride",
                report,
                f"{report.node.title} jumps {times(strides)} pixels on images of {times(image.dims[1:])}",
                "In small images a few pixels hold the detail, and so wide a step blurs it at once.",
                SetParameters({"strides": (2, 2)}, "set strides to 2 × 2"),
            )


def activation_twice(lines: Lines) -> Iterator[Advice]:
    for before, report in _pairs(lines):
        first, second = _activation(before.node.layer), _activation(report.node.layer)
        if _role(report) is Role.BENDS and "linear" not in (first, second) and second != "softmax":
            yield _advice(
                "activation-twice",
                report,
                f"{report.node.title} applies {second} to what {before.node.title} has sent through {first}",
                "A second activation adds nothing that could be learned and presses the values together.",
                Remove(),
            )


def saturating_activation(lines: Lines) -> Iterator[Advice]:
    if len(lines.mixing) < _DEEP_FOR_SATURATION:
        return
    ending = {report.node.id for report in lines.ending}
    for report in lines.layers:
        activation = _activation(report.node.layer)
        hidden = _role(report) in (Role.MIXES, Role.BENDS) and report.node.id not in ending
        if hidden and activation in _SATURATING:
            yield _advice(
                "saturating-activation",
                report,
                f"{report.node.title} applies {activation}, and {len(lines.mixing)} layers learn",
                "Away from zero it is flat, so the gradient fades on its way through many layers.",
                _RELU,
            )


def dropout_on_scores(lines: Lines) -> Iterator[Advice]:
    for report in _scores(lines):
        if _role(report) is Role.DROPS:
            yield _advice(
                "dropout-on-scores",
                report,
                f"{report.node.title} sets class scores to zero",
                "While training, the score of the right class is then often missing, whatever was learned.",
                Remove(),
            )


def normalized_twice(lines: Lines) -> Iterator[Advice]:
    for before, report in _pairs(lines):
        if _role(before) is _role(report) is Role.NORMALIZES:
            yield _advice(
                "normalized-twice",
                report,
                f"{report.node.title} normalizes what {before.node.title} has normalized",
                "The second one finds little left to do and costs time and weights.",
                Remove(),
            )


def deep_without_normalization(lines: Lines) -> Iterator[Advice]:
    deep = len(lines.mixing) >= _DEEP
    if deep and not any(_role(report) is Role.NORMALIZES for report in lines.layers):
        yield Advice(
            None,
            "deep-without-normalization",
            f"{len(lines.mixing)} layers learn, and nothing normalizes what passes between them",
            "Through many layers values grow or fade, and learning stalls; BatchNormalization behind each "
            "convolution keeps them in range.",
        )


def _pairs(lines: Lines) -> Iterator[tuple[LayerReport, LayerReport]]:
    for line in lines.every:
        yield from pairwise(line)


def _scores(lines: Lines) -> Line:
    """From the last layer that mixes to the end, where that is a vector of scores."""
    output = lines.analysis.output
    return lines.ending if output is not None and output.is_flat else []


RULES: tuple[Callable[[Lines], Iterator[Advice]], ...] = (
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
