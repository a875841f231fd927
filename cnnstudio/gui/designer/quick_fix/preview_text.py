"""What a fix would do, in words and numbers: for the card that previews it, and for a screen reader."""

from __future__ import annotations

from dataclasses import dataclass

from cnnstudio.core.formatting import count, plural, rounded, spoken
from cnnstudio.design.analysis.analysis import Analysis, LayerReport
from cnnstudio.design.quick_fixes import Preview, PreviewRow
from cnnstudio.gui.designer.quick_fix.shape_table import ShapeRow
from cnnstudio.gui.designer.selection_info import is_known
from cnnstudio.gui.theme.theme import family_token
from cnnstudio.layers.base import Shape
from cnnstudio.layers.catalog import snake_case

_EXACT = 1_000_000
"""Up to here all digits are told: a fix often changes the last ones only."""


@dataclass(frozen=True)
class Amount:
    """One number of the whole network, before and after."""

    name: str
    before: str
    after: str
    is_better: bool = False

    @property
    def is_same(self) -> bool:
        return self.before == self.after


def effect(node_id: str | None, before: Analysis, after: Analysis) -> str:
    """What becomes of the faulty layer: `Dense gets 2,304 numbers instead of 64 × 6 × 6.`; may be empty."""
    old = before.by_id.get(node_id or "")
    if old is None:
        return ""
    title, new = old.node.title, after.by_id.get(old.node.id)
    if new is None:
        return f"{title} goes."
    if old.input is not None and new.input is not None and old.input != new.input:
        return f"{title} gets {_numbers(new.input)} instead of {_numbers(old.input)}."
    if new.output is not None and old.output != new.output:
        instead = f" instead of {_numbers(old.output)}" if old.output is not None else ""
        return f"{title} gives {_numbers(new.output)}{instead}."
    if old.node.layer != new.node.layer and new.node.layer.summary():
        return f"{title}: {new.node.layer.summary()}."
    return ""


def amounts(preview: Preview) -> tuple[Amount, ...]:
    """Parameters, multiply-adds and problems of the network, before and after."""
    return (
        Amount("Parameters", _amount(preview.parameters_before), _amount(preview.parameters_after)),
        Amount("Multiply-adds", _amount(preview.macs_before), _amount(preview.macs_after)),
        Amount(
            "Problems",
            count(preview.problems_before),
            count(preview.problems_after),
            preview.problems_after < preview.problems_before,
        ),
    )


def shape_rows(before: Analysis, node_id: str | None, preview: Preview) -> list[ShapeRow]:
    """The layers that change, and the faulty one itself, in the order of the list."""
    rows = list(preview.rows)
    fault, fixed = before.by_id.get(node_id or ""), preview.analysis.by_id.get(node_id or "")
    if fault is not None and fixed is not None and all(row.node_id != node_id for row in rows):
        order = {node.id: place for place, node in enumerate(preview.network.walk())}
        after = [place for place, row in enumerate(rows) if order.get(row.node_id, -1) > order[fault.node.id]]
        row = PreviewRow(fault.node.id, fault.node.title, fault.output, fixed.output, "changed")
        rows.insert(after[0] if after else len(rows), row)
    return [_shape_row(row, before, preview) for row in rows]


def _shape_row(row: PreviewRow, before: Analysis, preview: Preview) -> ShapeRow:
    old, new = before.by_id.get(row.node_id), preview.analysis.by_id.get(row.node_id)
    layer = (new or before[row.node_id]).node.layer
    was = _shape(row.before, old) if old is not None else ""
    will = _shape(row.after, new) if new is not None else ""
    icon, token = snake_case(layer.type_name()), family_token(layer.family)
    return ShapeRow(row.title, icon, token, row.status, was if was != will else "", will)


def _shape(value: Shape | None, report: LayerReport) -> str:
    return "not known" if value is None or not is_known(report) else str(value)


def sentence(label: str, told: str, preview: Preview) -> str:
    """All of it to be heard, the shapes of few layers included."""
    parts = [f"{label}.", told]
    for row in preview.rows[:4]:
        change = " to ".join(str(shape) for shape in (row.before, row.after) if shape is not None)
        parts.append(f"{row.title} {row.status}{change and f', {change}'}.")
    if len(preview.rows) > 4:
        parts.append(f"{plural(len(preview.rows) - 4, 'more layer')} change.")
    changes = [f"{each.name} {each.before} to {each.after}" for each in amounts(preview) if not each.is_same]
    parts.append(f"{', '.join(changes)}." if changes else "")
    return spoken(" ".join(part for part in parts if part))


def _numbers(value: Shape) -> str:
    return plural(value.features, "number") if value.is_flat else str(value)


def _amount(number: int) -> str:
    return count(number) if number < _EXACT else rounded(number)
