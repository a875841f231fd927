"""What a layer sees of the image, in words: for its row, and beside the image."""

from __future__ import annotations

from cnnstudio.core.formatting import percent
from cnnstudio.design.analysis.analysis import LayerReport
from cnnstudio.layers.base import Shape
from cnnstudio.layers.shape import times


def field_sentence(report: LayerReport, image: Shape) -> str:
    """`Each value sees 18 × 18 of 32 × 32 pixels, 31.6% of the image.`; empty where that is not known."""
    if report.receptive_field is None or not report.node.is_active:
        return ""
    size = image.height, image.width
    if report.receptive_field == size:
        return f"Each value sees all {times(size)} pixels of the image."
    height, width = report.receptive_field
    share = percent(height * width / (size[0] * size[1]))
    return f"Each value sees {height} × {width} of {times(size)} pixels, {share} of the image."


def place_words(report: LayerReport, place: tuple[int, int]) -> str:
    """`Row 7, column 7 of 13 × 13 · values stand 2 × 2 pixels apart`; empty where values have no place."""
    output, window = report.output, report.window
    if output is None or output.is_flat or window.kernel is None:
        return ""
    stride = " × ".join(f"{float(step):g}" for step in window.stride)
    words = f"Row {place[0] + 1}, column {place[1] + 1} of {output.height} × {output.width}"
    return f"{words} · values stand {stride} pixels apart"
