"""The effect of a fix as text and numbers, for the preview card and for screen readers."""

from __future__ import annotations

from dataclasses import dataclass

from cnnstudio.core.formatting import at_least, format_compact, format_count, pluralize, screen_reader_text
from cnnstudio.design.analysis.analysis import Analysis, LayerReport
from cnnstudio.design.quick_fixes import FixPreview, FixPreviewRow
from cnnstudio.gui.designer.quick_fix.shape_table import ShapeRow
from cnnstudio.gui.theme.theme import family_token
from cnnstudio.layers.base import Shape
from cnnstudio.layers.catalog import snake_case

_MAX_EXACT = 1_000_000
"""Smaller counts are shown with all digits, as a fix often changes only the last ones."""


@dataclass(frozen=True)
class TotalChange:
    """A total of the network before and after a fix."""

    name: str
    before: str
    after: str
    is_better: bool = False

    @property
    def is_same(self) -> bool:
        return self.before == self.after


def describe_effect(node_id: str | None, before: Analysis, after: Analysis) -> str:
    """What happens to the faulty layer: `Dense now takes 2,304 values instead of …`; may be empty."""
    old = before.by_id.get(node_id or "")
    if old is None:
        return ""
    title, new = old.node.title, after.by_id.get(old.node.id)
    if new is None:
        return f"Removes {title}."
    if old.input is not None and new.input is not None and old.input != new.input:
        return f"{title} now takes {_shape_text(new.input)} instead of {_shape_text(old.input)}."
    if new.output is not None and old.output != new.output:
        instead = f" instead of {_shape_text(old.output)}" if old.output is not None else ""
        return f"{title} now outputs {_shape_text(new.output)}{instead}."
    if new.node.layer.summary() not in ("", old.node.layer.summary()):
        return f"{title}: {new.node.layer.summary()}."
    return ""


def total_changes(preview: FixPreview) -> tuple[TotalChange, ...]:
    """Parameters, multiply-adds and problems of the network, before and after."""
    exact_before, exact_after = preview.is_exact_before, preview.is_exact_after
    return (
        TotalChange(
            "Parameters",
            _amount(preview.parameters_before, exact_before),
            _amount(preview.parameters_after, exact_after),
        ),
        TotalChange(
            "Multiply-adds",
            _amount(preview.macs_before, exact_before),
            _amount(preview.macs_after, exact_after),
        ),
        TotalChange(
            "Problems",
            format_count(preview.problems_before),
            format_count(preview.problems_after),
            preview.problems_after < preview.problems_before,
        ),
    )


def shape_rows(before: Analysis, node_id: str | None, preview: FixPreview) -> list[ShapeRow]:
    """The layers that change, and always the faulty one, in the order of the list."""
    rows = list(preview.rows)
    faulty, fixed = before.by_id.get(node_id or ""), preview.analysis.by_id.get(node_id or "")
    if faulty is not None and fixed is not None and all(row.node_id != node_id for row in rows):
        order = {node.id: position for position, node in enumerate(preview.network.walk())}
        following = [
            index for index, row in enumerate(rows) if order.get(row.node_id, -1) > order[faulty.node.id]
        ]
        row = FixPreviewRow(faulty.node.id, faulty.node.title, faulty.output, fixed.output, "changed")
        rows.insert(following[0] if following else len(rows), row)
    return [_shape_row(row, before, preview) for row in rows]


def _shape_row(row: FixPreviewRow, before: Analysis, preview: FixPreview) -> ShapeRow:
    old, new = before.by_id.get(row.node_id), preview.analysis.by_id.get(row.node_id)
    layer = (new or before[row.node_id]).node.layer
    shape_before = _known_shape(row.before, old) if old is not None else ""
    shape_after = _known_shape(row.after, new) if new is not None else ""
    icon, token = snake_case(layer.type_name()), family_token(layer.family)
    if shape_before == shape_after:
        shape_before = ""
    return ShapeRow(row.title, icon, token, row.status, shape_before, shape_after)


def _known_shape(value: Shape | None, report: LayerReport) -> str:
    return "unknown" if value is None or not report.has_known_output else str(value)


def describe_preview(label: str, effect: str, preview: FixPreview) -> str:
    """The whole preview as text for a screen reader, with the shapes of the first few layers."""
    parts = [f"{label}.", effect]
    for row in preview.rows[:4]:
        change = " to ".join(str(shape) for shape in (row.before, row.after) if shape is not None)
        parts.append(f"{row.title} {row.status}{change and f', {change}'}.")
    if len(preview.rows) > 4:
        parts.append(f"{pluralize(len(preview.rows) - 4, 'more layer')} changed.")
    totals = [each for each in total_changes(preview) if not each.is_same]
    changes = [f"{each.name} {each.before} to {each.after}" for each in totals]
    parts.append(f"{', '.join(changes)}." if changes else "")
    return screen_reader_text(" ".join(part for part in parts if part))


def _shape_text(value: Shape) -> str:
    return pluralize(value.features, "value") if value.is_flat else str(value)


def _amount(number: int, is_exact: bool) -> str:
    text = format_count(number) if number < _MAX_EXACT else format_compact(number)
    return at_least(text, is_exact=is_exact)
