"""What `cnnstudio train` prints: events as JSON lines, or a table of epochs above a line that moves."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from cnnstudio.cli.output import LiveLine, bar, print_json
from cnnstudio.core.formatting import duration, percent, plural
from cnnstudio.training.events import (
    Adjusted,
    CarriedOver,
    Diagnosed,
    EpochEnded,
    Event,
    Finished,
    Paused,
    Progress,
    Resumed,
    SnapshotTaken,
    Started,
    UnitsChecked,
    Warned,
)

_HEADS = ("Epoch", "Loss", "Accuracy", "Val. loss", "Val. accuracy", "Images/s", "Time")
_WIDTHS = (7, 8, 9, 10, 14, 9, 10)


class JsonPrinter:
    """One JSON object a line for each event."""

    def __call__(self, event: Event) -> None:
        print_json(event.to_json())


class TextPrinter:
    """For people. Where the output is no terminal, only whole lines come."""

    def __init__(self) -> None:
        self._line = LiveLine()
        self._started: Started | None = None

    def __call__(self, event: Event) -> None:
        match event:
            case Started():
                self._start(event)
            case Progress():
                self._line.show(self._progress(event))
            case EpochEnded():
                self._say(_row(_epoch_cells(event)) + ("  best so far" if event.best else ""))
            case Warned():
                self._say(f"Note: {event.message}")
            case Diagnosed():
                self._say(f"Note: {event.message} {event.advice}")
            case Adjusted():
                name = event.name.replace("_", " ").capitalize()
                self._say(f"{name}: {event.before} → {event.after}, from step {event.step + 1:,} on")
            case CarriedOver():
                self._say("\n".join((f"Goes on from {event.run}", *event.lines)))
            case Paused() | Resumed() | SnapshotTaken() | UnitsChecked():
                pass
            case Finished():
                self._finish(event)

    def _say(self, text: str) -> None:
        self._line.clear()
        print(text, flush=True)

    def _start(self, event: Started) -> None:
        self._started = event
        threads = f", {plural(event.threads, 'thread')}" if event.device == "cpu" else ""
        threads += f" in each of {event.ranks} processes" if event.ranks > 1 else ""
        done = f"Goes on in epoch {event.first_epoch:,} after {plural(event.steps_done, 'step')}\n"
        went_on = done if event.steps_done else ""
        source = "the test set" if event.validation == "test" else "set aside"
        self._say(
            f"{event.network_name} · {event.parameters:,} parameters · {event.device}{threads}\n"
            f"{event.train_images:,} images to train, {event.validation_images:,} to validate ({source})\n"
            f"{plural(event.epochs, 'epoch')} of {plural(event.steps_per_epoch, 'step')} "
            f"of {plural(event.batch_size, 'image')}\n"
            f"{went_on}\n"
            f"{_row(_HEADS)}"
        )

    def _progress(self, event: Progress) -> str:
        epochs = max(round(event.steps * event.epoch / event.step), 1) if event.step else 1
        share = event.step / event.steps if event.steps else 0.0
        parts = [f"Epoch {min(int(event.epoch) + 1, epochs)} of {epochs} {bar(share)} {share * 100:.0f}%"]
        if event.losses:
            parts.append(f"loss {sum(event.losses) / len(event.losses):.3f}")
        parts.append(f"{event.images_per_second:,.0f} images/s")
        if event.seconds_left is not None:
            parts.append(f"{duration(event.seconds_left)} left")
        return " · ".join(parts)

    def _finish(self, event: Finished) -> None:
        words = {"completed": "Done", "stopped": "Stopped", "failed": "Failed"}
        lines = [f"\n{words[event.outcome]} after {duration(event.seconds)}. {event.reason}"]
        if event.test is not None:
            scores = f"accuracy {percent(event.test.accuracy)}, loss {event.test.loss:.4f}"
            lines.append(
                f"Test: {scores}" + (f" (weights of epoch {event.best_epoch})" if event.best_epoch else "")
            )
        if event.run:
            lines.append(f"Run: {event.run}")
        self._say("\n".join(lines))


def printer(as_json: bool) -> Callable[[Event], None]:
    """The printer of events that the user asked for."""
    return JsonPrinter() if as_json else TextPrinter()


def epoch_table(history: Sequence[EpochEnded]) -> str:
    """The epochs of a run as `TextPrinter` shows them."""
    return "\n".join([_row(_HEADS), *(_row(_epoch_cells(epoch)) for epoch in history)])


def _row(cells: tuple[str, ...]) -> str:
    return "".join(cell.rjust(width) for cell, width in zip(cells, _WIDTHS, strict=True))


def _loss(loss: float) -> str:
    """Of a training that diverges, the loss may be as large as numbers are."""
    return f"{loss:.4f}" if loss < 1000 else f"{loss:.0e}"


def _epoch_cells(event: EpochEnded) -> tuple[str, ...]:
    return (
        str(event.epoch),
        _loss(event.train.loss),
        percent(event.train.accuracy),
        _loss(event.validation.loss),
        percent(event.validation.accuracy),
        f"{event.images_per_second:,.0f}",
        duration(event.seconds),
    )
