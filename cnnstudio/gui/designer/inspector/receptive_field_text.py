"""The receptive field of a layer as text: for its row in the list, and for the view."""

from __future__ import annotations

from cnnstudio.core.formatting import format_percent
from cnnstudio.design.analysis.analysis import LayerReport
from cnnstudio.layers.base import Shape
from cnnstudio.layers.shape import format_sizes


def receptive_field_text(report: LayerReport, image: Shape) -> str:
    """`Each output value sees 18 × 18 of 32 × 32 pixels (31.6% of the image).`; empty if it is unknown."""
    if report.receptive_field_size is None or not report.node.is_active:
        return ""
    size = image.height, image.width
    if report.receptive_field_size == size:
        return f"Each output value sees the whole image ({format_sizes(size)} pixels)."
    height, width = report.receptive_field_size
    share = format_percent(height * width / (size[0] * size[1]))
    return f"Each output value sees {height} × {width} of {format_sizes(size)} pixels ({share} of the image)."


def value_position_text(report: LayerReport, position: tuple[int, int]) -> str:
    """`Row 7, column 7 of 13 × 13 · effective stride 2 × 2 pixels`; empty if values have no position."""
    output, field = report.output, report.receptive_field
    if output is None or output.is_flat or field.size is None:
        return ""
    stride = " × ".join(f"{float(step):g}" for step in field.stride)
    text = f"Row {position[0] + 1}, column {position[1] + 1} of {output.height} × {output.width}"
    return f"{text} · effective stride {stride} pixels"
