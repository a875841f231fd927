"""What `cnnstudio train` prints: events as JSON lines, or a table of epochs above a status line."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType

from cnnstudio.cli.output import LiveLine, bar, echo, print_json
from cnnstudio.core.formatting import clean_line, format_duration, format_percent, pluralize
from cnnstudio.training.control import Control
from cnnstudio.training.events import (
    Diagnosed,
    EpochEnded,
    Event,
    Finished,
    LayersUnlocked,
    Paused,
    Progress,
    RecipeChanged,
    Resumed,
    SnapshotTaken,
    Started,
    ThreadsChanged,
    UnitsChecked,
    ValidationSource,
    Warned,
    WeightsLoaded,
    WeightsTransferred,
)

_HEADINGS = ("Epoch", "Loss", "Accuracy", "Val. loss", "Val. accuracy", "Images/s", "Time")
CHOSEN_ON_TEST = (
    "The test images are also the validation images: the best epoch is chosen on them, so the test accuracy "
    "is likely to be lower on new images."
)
"""The note for a recipe without a validation share."""
_SOURCES: Mapping[ValidationSource, str] = MappingProxyType(
    {"test": "the test set", "share": "from the training set", "own": "the data set's own"}
)
_WIDTHS = (7, 8, 9, 10, 14, 9, 10)


class JsonPrinter:
    """Prints each event as one line of JSON."""

    def __call__(self, event: Event) -> None:
        print_json(event.to_json())


class TextPrinter:
    """Prints for people: a table, and on terminals a status line below it."""

    def __init__(self, note: str = "") -> None:
        """`note` is printed when the training has started."""
        self._line = LiveLine()
        self._note = note
        self._started: Started | None = None
        self._threads: int | None = None
        """The number that was told last; None for the usual one."""

    def __call__(self, event: Event) -> None:
        match event:
            case Started():
                self._start(event)
            case Progress():
                self._line.show(self._progress(event))
            case EpochEnded():
                self._print(_row(_epoch_cells(event)) + ("  best so far" if event.best else ""))
            case Warned():
                self._print(f"Note: {clean_line(event.message)}")
            case Diagnosed():
                self._print(f"Note: {clean_line(event.message)} {clean_line(event.advice)}")
            case RecipeChanged():
                name = event.name.replace("_", " ").capitalize()
                self._print(f"{name}: {event.before} → {event.after} from step {event.step + 1:,}")
            case LayersUnlocked():
                self._print(clean_line(event.text))
            case ThreadsChanged():
                self._tell_threads(event)
            case WeightsTransferred():
                self._print("\n".join((f"Continues from {event.run}", *event.lines)))
            case WeightsLoaded():
                self._print("\n".join(map(clean_line, event.lines)))
            case Paused() | Resumed() | SnapshotTaken() | UnitsChecked():
                pass
            case Finished():
                self._finish(event)

    @property
    def _is_chosen_on_test(self) -> bool:
        return self._started is not None and self._started.validation == "test"

    def _print(self, text: str) -> None:
        self._line.clear()
        echo(text)

    def _start(self, event: Started) -> None:
        self._started = event
        threads = f", {pluralize(event.threads, 'thread')}" if event.device == "cpu" else ""
        threads += f" in each of {event.ranks} processes" if event.ranks > 1 else ""
        steps_done = pluralize(event.steps_done, "step")
        resumed = f"Resumed in epoch {event.first_epoch:,} after {steps_done}\n" if event.steps_done else ""
        note = f"{CHOSEN_ON_TEST}\n" if event.validation == "test" else ""
        source = _SOURCES[event.validation]
        self._print(
            f"{clean_line(event.network_name)} · {event.parameters:,} parameters · {event.device}{threads}\n"
            f"{event.train_images:,} training images, "
            f"{event.validation_images:,} validation images ({source})\n"
            f"{pluralize(event.epochs, 'epoch')} of {pluralize(event.steps_per_epoch, 'step')} "
            f"of {pluralize(event.batch_size, 'image')}\n"
            f"{note}{resumed}\n"
            f"{_row(_HEADINGS)}"
        )
        if self._note:
            self._print(f"Note: {self._note}")

    def _tell_threads(self, event: ThreadsChanged) -> None:
        if not event.trial and event.threads != (self._threads or event.usual_threads):
            self._threads = event.threads
            self._print(f"Note: {event.text[:1].upper()}{event.text[1:]}.")

    def _progress(self, event: Progress) -> str:
        epochs = max(round(event.steps * event.epoch / event.step), 1) if event.step else 1
        share = event.step / event.steps if event.steps else 0.0
        parts = [f"Epoch {min(int(event.epoch) + 1, epochs)} of {epochs} {bar(share)} {share * 100:.0f}%"]
        if event.losses:
            parts.append(f"loss {sum(event.losses) / len(event.losses):.3f}")
        parts.append(f"{event.images_per_second:,.0f} images/s")
        if event.seconds_left is not None:
            parts.append(f"{format_duration(event.seconds_left)} left")
        return " · ".join(parts)

    def _finish(self, event: Finished) -> None:
        titles = {"completed": "Done", "stopped": "Stopped", "failed": "Failed"}
        lines = [
            f"\n{titles[event.outcome]} after {format_duration(event.seconds)}. {clean_line(event.reason)}"
        ]
        if event.test is not None:
            scores = f"accuracy {format_percent(event.test.accuracy)}, loss {event.test.loss:.4f}"
            chosen = ", the best on the test set" if self._is_chosen_on_test else ""
            epoch = f" (weights of epoch {event.best_epoch}{chosen})" if event.best_epoch else ""
            lines.append(f"Test: {scores}{epoch}")
        if event.run:
            lines.append(f"Run: {event.run}")
        self._print("\n".join(lines))


def printer(as_json: bool, *, note: str = "", repeats_notes: bool = False) -> Callable[[Event], None]:
    """The printer for `--json` or for people, who are told the `note` when the training has started.

    With `repeats_notes`, notes are also printed on standard error unless standard output is a terminal: that
    a run resumes from another checkpoint than its last must not be lost in a log.
    """
    emit: Callable[[Event], None] = JsonPrinter() if as_json else TextPrinter(note)
    if not repeats_notes or sys.stdout.isatty():
        return emit

    def emit_and_repeat(event: Event) -> None:
        emit(event)
        if isinstance(event, Warned):
            echo(f"Note: {clean_line(event.message)}", file=sys.stderr)

    return emit_and_repeat


def stop_when_unread(emit: Callable[[Event], None], control: Control) -> Callable[[Event], None]:
    """Wraps `emit` to stop the run when the reader of its output is gone (`cnnstudio train … | head`).

    A closed terminal counts too. A full disk under redirected output does not: the run is saved elsewhere.
    """
    is_unread = False

    def emit_or_stop(event: Event) -> None:
        nonlocal is_unread
        if is_unread:
            return
        try:
            emit(event)
        except OSError as error:
            if error.errno in (errno.EPIPE, errno.EIO):
                is_unread = True
                control.request_stop()

    return emit_or_stop


def epoch_table(history: Sequence[EpochEnded]) -> str:
    """The epochs of a run, as `TextPrinter` prints them."""
    return "\n".join([_row(_HEADINGS), *(_row(_epoch_cells(epoch)) for epoch in history)])


def _row(cells: tuple[str, ...]) -> str:
    return "".join(cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True))


def _loss(loss: float) -> str:
    """If training diverges, the loss can be so large that it would break the table."""
    return f"{loss:.4f}" if loss < 1000 else f"{loss:.0e}"


def _epoch_cells(event: EpochEnded) -> tuple[str, ...]:
    return (
        str(event.epoch),
        _loss(event.train.loss),
        format_percent(event.train.accuracy),
        _loss(event.validation.loss),
        format_percent(event.validation.accuracy),
        f"{event.images_per_second:,.0f}",
        format_duration(event.seconds),
    )
