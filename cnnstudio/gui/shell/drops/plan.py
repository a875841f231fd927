"""What is done with things that were dropped on the window or chosen to be opened."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from cnnstudio.gui.shell.drops.found import Found, Kind

_ORDER = (
    *(Kind.DATA_SET, Kind.DESIGN, Kind.CODE, Kind.ONNX, Kind.RUN, Kind.WEIGHTS, Kind.IMAGES),
    Kind.UNUSABLE,
)
_TEXTS = {
    Kind.DATA_SET: "add as a data set",
    Kind.DESIGN: "open the design",
    Kind.CODE: "import the network in this code",
    Kind.ONNX: "import the network with its weights",
    Kind.RUN: "show the run",
    Kind.WEIGHTS: "start the next training from these weights",
}
_ONE_AT_A_TIME = {
    Kind.DATA_SET: "left out: one data set at a time",
    Kind.DESIGN: "left out: one network at a time",
    Kind.CODE: "left out: one network at a time",
    Kind.ONNX: "left out: one network at a time",
    Kind.RUN: "left out: one run at a time",
    Kind.WEIGHTS: "left out: training starts from one file",
}
_NO_RUN = "trying images needs a trained network, so train one or open a run first"
_NO_CLASSES = (
    "a data set needs a subfolder of images for each of its classes, at least two; trying images needs a "
    "trained network"
)


@dataclass(frozen=True)
class Step:
    """What is done with one thing."""

    found: Found
    text: str
    """What is done, or why nothing can be done."""
    is_possible: bool = True


def plan(found: Iterable[Found], shown_run: str) -> tuple[Step, ...]:
    """The steps in the order in which they are done; `shown_run` names the run on show, if there is one."""
    ordered = sorted(found, key=lambda each: _ORDER.index(each.kind))
    has_run = bool(shown_run) or any(each.kind is Kind.RUN for each in ordered)
    taken = set[str]()
    steps = [_step(each, taken, shown_run, has_run=has_run) for each in ordered]
    return tuple(sorted(steps, key=lambda step: not step.is_possible))


def _step(found: Found, taken: set[str], shown_run: str, *, has_run: bool) -> Step:
    if found.kind is Kind.UNUSABLE:
        return Step(found, found.details, False)
    if found.kind is Kind.IMAGES:
        if not has_run:
            return Step(found, _NO_CLASSES if found.is_folder else _NO_RUN, False)
        return Step(found, f"try on {shown_run}" if shown_run else "try on this run")
    slot = _ONE_AT_A_TIME[found.kind]
    if slot in taken:
        return Step(found, slot, False)
    taken.add(slot)
    details = f" ({found.details})" if found.details else ""
    return Step(found, f"{_TEXTS[found.kind]}{details}")
