"""The ends of imported networks: one sigmoid unit, and a number of classes that only the data knows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from cnnstudio.design.adaptation import adapt_to_classes, with_two_classes
from cnnstudio.design.edits import EditError
from cnnstudio.design.network import Network
from cnnstudio.interchange.interpreter.graph import Items, iter_calls
from cnnstudio.interchange.source import ImportedDesign, Note, Notes

_USUAL_CLASSES = 10
UNTIL_RUN_TIME = "only known at run time"
BINARY_LOSSES = frozenset(
    {"binary_crossentropy", "binarycrossentropy", "binaryfocalcrossentropy", "bceloss", "bcewithlogitsloss"}
    | {"binary_cross_entropy", "binary_cross_entropy_with_logits"}
)
"""Losses for one score that tells two classes apart, in lower case."""


def with_one_unit_read(network: Network, items: Items, losses: Iterable[str], notes: Notes) -> Network:
    """The network with two scores instead of one sigmoid unit, with a note on the line of the unit."""
    is_binary = any(loss.lower() in BINARY_LOSSES for loss in losses)
    found = with_two_classes(network, is_binary=is_binary)
    if found is None:
        return network
    notes.add(last_line(items), "one sigmoid unit tells two classes apart; it becomes two units with softmax")
    return found


def last_line(items: Items) -> int:
    """The line of the layer that gives the scores; 0 if there is none."""
    calls = list(iter_calls(items))
    scores = [call for call in calls if call.name in ("Dense", "Linear", "LazyLinear")] or calls
    return scores[-1].line if scores else 0


def with_classes_of_data(imported: ImportedDesign) -> ImportedDesign:
    """The design with the number of classes of the data set that the code names, where it leaves it open.

    That is where the last layer has as many scores as only the data tells: `Dense(len(class_names))`. Without
    a known data set it has ten.
    """
    left_open = next((note for note in imported.notes if _is_about_classes(note, imported.last_line)), None)
    if left_open is None:
        return imported
    known = imported.data.class_count if imported.data else None
    try:
        network = adapt_to_classes(imported.network, known or _USUAL_CLASSES)
    except EditError:
        return imported
    used = f"{_USUAL_CLASSES} is used instead"
    if imported.data is not None and known is not None:
        used = f"{known:,} is used, as {imported.data.downloaded or imported.data.name} has so many classes"
    text = f"{left_open.text.partition('; ')[0]}; {used}"
    notes = (replace(note, text=text) if note == left_open else note for note in imported.notes)
    return replace(imported, network=network, notes=tuple(sorted(notes)))


def _is_about_classes(note: Note, line: int) -> bool:
    is_of_scores = note.text.startswith(("Dense: units is ", "Linear: out_features is "))
    return note.line == line and is_of_scores and UNTIL_RUN_TIME in note.text


def with_classes(imported: ImportedDesign, classes: int) -> ImportedDesign:
    """The design with that many scores at its end. Raises EditError.

    A note that this number is only known at run time is settled.
    """
    network = adapt_to_classes(imported.network, classes)
    notes = tuple(
        note for note in imported.notes if note.line != imported.last_line or UNTIL_RUN_TIME not in note.text
    )
    return replace(imported, network=network, notes=notes)
