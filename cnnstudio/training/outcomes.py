"""The sentences that say how a run ended."""

from __future__ import annotations

from cnnstudio.core.formatting import pluralize


def completed(epochs: int) -> str:
    return f"Completed {pluralize(epochs, 'epoch')}."


def stopped_early(idle: int, best: int) -> str:
    """Early stopping, after `idle` epochs that were no better than epoch `best`."""
    return f"Stopped early: no improvement on epoch {best:,} for {pluralize(idle, 'epoch')}."


def stopped(step: int, steps_per_epoch: int) -> str:
    if not step:
        return "Stopped before the first step."
    epoch, batch = _epoch_and_batch(step, steps_per_epoch)
    return f"Stopped in epoch {epoch:,} after batch {batch:,} of {steps_per_epoch:,}."


def stopped_after_epoch(epoch: int, epochs: int) -> str:
    return f"Stopped after epoch {epoch:,} of {epochs:,}."


def not_finite(step: int, steps_per_epoch: int, rate: float, best: int | None) -> str:
    """The loss of `step` became NaN or infinite. The best weights, if any, are those of epoch `best`."""
    epoch, batch = _epoch_and_batch(step, steps_per_epoch)
    kept = f" The weights of epoch {best:,} are saved." if best else ""
    return (
        f"The loss became NaN or infinite in epoch {epoch:,}, batch {batch:,} of {steps_per_epoch:,} "
        f"(step {step:,}): try a learning rate below {rate:g}.{kept}"
    )


def out_of_memory(step: int, batch_size: int) -> str:
    return (
        f"Out of memory at step {step:,}: use batches smaller than {batch_size:,}, more gradient "
        "accumulation, or fewer filters or units."
    )


def unsaved(best: int, reason: str, on_disk: int | None) -> str:
    """The best weights, of epoch `best`, are not on the disk; those of epoch `on_disk` are, if any."""
    if on_disk is not None:
        found = f"The weights on the disk are those of epoch {on_disk:,}."
    else:
        found = "The disk has no weights of a completed epoch."
    cause = f": {reason}" if reason else "."
    return f"The best weights, those of epoch {best:,}, could not be saved{cause} {found}"


def test_not_finite() -> str:
    return "The loss on the test images is NaN or infinite, so the run has no result."


def _epoch_and_batch(step: int, steps_per_epoch: int) -> tuple[int, int]:
    """The epoch and batch of a step, all counted from 1."""
    epoch, batch = divmod(step - 1, steps_per_epoch)
    return epoch + 1, batch + 1
