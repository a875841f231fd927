"""How a run ended, in one sentence each."""

from __future__ import annotations

from cnnstudio.core.formatting import plural


def completed(epochs: int) -> str:
    return f"All {epochs:,} epochs are done."


def ended_early(idle: int, best: int) -> str:
    """After `idle` epochs that were no better than epoch `best`."""
    return f"Ended early: {plural(idle, 'epoch')} no better than epoch {best:,}."


def stopped(step: int, steps_per_epoch: int) -> str:
    if not step:
        return "Stopped before the first step."
    epoch, batch = _place(step, steps_per_epoch)
    return f"Stopped in epoch {epoch:,} after batch {batch:,} of {steps_per_epoch:,}."


def stopped_after_epoch(epoch: int, epochs: int) -> str:
    return f"Stopped after epoch {epoch:,} of {epochs:,}."


def not_finite(step: int, steps_per_epoch: int, rate: float, best: int | None) -> str:
    """The loss of this step is no number any more; the weights of epoch `best` are kept."""
    epoch, batch = _place(step, steps_per_epoch)
    kept = f" The weights of epoch {best:,} are kept." if best else ""
    return (
        f"The loss is no number any more in epoch {epoch:,}, batch {batch:,} of {steps_per_epoch:,} "
        f"(step {step:,}): try a learning rate lower than {rate:g}.{kept}"
    )


def out_of_memory(step: int, batch_size: int) -> str:
    return (
        f"The memory ran out at step {step:,}: take smaller batches than {batch_size:,}, more parts of a "
        "batch, or fewer filters or units."
    )


def _place(step: int, steps_per_epoch: int) -> tuple[int, int]:
    """Epoch and batch of a step, all counted from 1."""
    epoch, batch = divmod(step - 1, steps_per_epoch)
    return epoch + 1, batch + 1
