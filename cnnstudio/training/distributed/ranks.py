"""The processes that train one run together, as torchrun starts them, and the collectives between them.

`Ranks` itself is the case of a single process, in which every collective is the identity, so that the
training code has one path for both. `process_group` has the implementation for several. Needs no torch.

The recipe's batch is the batch of all ranks: each computes its shard of it, and the gradients are summed,
not averaged over ranks. The step is therefore the one that a single process makes, up to the rounding of
sums, and a recipe means the same on any number of processes.

A collective completes only when every rank calls it. All ranks must make the same calls in the same order:
a rank that skips one leaves the others waiting until the timeout. Whatever decides about a call (a stop, a
save that is due, the next epoch) must therefore be agreed on first; see `sync`.

The calls of a training, in their order on every rank:

- before the first step: `local_main_process_first` for the data set, `run_on_all` and `broadcast_result` for
  whatever may fail or is read from the first rank's disk, and `broadcast_weights`;
- in each step: `all_reduce_` for each synchronized BatchNormalization, once in the forward pass and once in
  the backward pass, then `all_reduce_gradients`;
- after a step that `sync` has chosen: `all_reduce_max`, and `broadcast_result` if there are recipe changes;
- after each evaluation: `all_reduce_sum`.

A rank that fails in between does not finish the sequence: it posts the reason, ends, and thereby makes the
next collective of the others raise RanksError. Nothing tries to continue with fewer ranks: all of them are
started again, with `--resume` or by torchrun's `--max-restarts`, and resume from the last checkpoint.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor, nn

Result = TypeVar("Result")


class RanksError(Exception):
    """The ranks cannot continue together; the message says why."""


class Ranks:
    """The processes of a training: here, this one only."""

    rank = 0
    """Index of this process, from 0."""
    world_size = 1
    """Number of processes."""

    failure_reason: str | None = None
    """Why other ranks are gone, in one sentence; None while all are there."""

    @property
    def is_single_process(self) -> bool:
        return self.world_size == 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run folder and reports for all."""
        return self.rank == 0

    @property
    def shard(self) -> tuple[int, int]:
        """(rank, world size), as `Batches` takes it."""
        return self.rank, self.world_size

    def resolve_device(self, device: str) -> str:
        """The device that this rank uses if the user asks for `device`. Raises DeviceError."""
        return device

    def run_on_all(self, function: Callable[[], Result]) -> Result:
        """This rank's result of `function`. A UserError on any rank is raised on all of them."""
        return function()

    def broadcast_result(self, function: Callable[[], Result]) -> Result:
        """The first rank's result of `function`; the others do not call it. Errors as in `run_on_all`."""
        return function()

    def local_main_process_first(self, function: Callable[[], Result]) -> Result:
        """This rank's result of `function`, which the first rank of each machine finishes before the others.

        For work that leaves something on the disk, such as a cache, which the others then only read.
        """
        return function()

    def broadcast_weights(self, model: nn.Module) -> None:
        """Gives all ranks the first rank's weights and buffers, in place; all have models of one design."""

    def all_reduce_gradients(self, model: nn.Module, scalars: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Sums the gradients over all ranks, in place, and two numbers of the step; returns their sums.

        `scalars` are () of any dtype, on the model's device. Their sums are () too; with several ranks they
        are float32, in which whole numbers are exact up to 2^24. Gradients keep their shapes and dtypes; a
        missing one counts as zeros. Raises RanksError if a rank is gone.
        """
        return scalars

    def all_reduce_sum(self, numbers: Sequence[float]) -> list[float]:
        """The sum of each number over all ranks, in float64. Raises RanksError if a rank is gone."""
        return list(numbers)

    def all_reduce_(self, tensor: Tensor) -> Tensor:
        """The sum of a tensor over all ranks, in place; also returns the tensor.

        Shape and dtype are free but the same on all ranks. The tensor is contiguous and on the rank's device.
        Raises RanksError if a rank is gone.
        """
        return tensor

    def all_reduce_max(self, numbers: Sequence[int]) -> list[int]:
        """The maximum of each number over all ranks, in int64. Raises RanksError if a rank is gone."""
        return list(numbers)

    def post_failure(self, reason: str) -> None:
        """Leaves a sentence for the other ranks, because this one is about to end without them."""

    def is_first_to_report(self) -> bool:
        """Whether no other rank has asked this yet, so that a failure that all notice is reported once."""
        return True


# One object for all runs: it has no state, because `failure_reason` is only ever set by a process group.
SINGLE_PROCESS = Ranks()


def is_distributed() -> bool:
    """Whether torchrun started this process together with others."""
    # From the environment, not from torch.distributed: the command line asks before torch is imported.
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def is_main_process() -> bool:
    """Whether this process reports what all of them know."""
    return not is_distributed() or os.environ.get("RANK", "0") == "0"


def was_restarted() -> bool:
    """Whether torchrun restarted all ranks because one was lost (`--max-restarts`)."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def launch_id() -> str:
    """An id that all processes of one torchrun share, across its restarts."""
    name = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    # Without a name, torchrun calls every launch "none". It is the parent of this process.
    return f"none-{os.getppid()}" if name == "none" else name
