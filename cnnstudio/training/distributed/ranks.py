"""Processes that train one run together, as torchrun starts them; `Ranks` alone is this one. Needs no torch.

A batch of the recipe is that of all ranks. Each takes its share of it, and what the shares add to the
gradients is summed, so that the step is the very one that one process makes (to the rounding of sums).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from torch import Tensor, nn

Result = TypeVar("Result")


class RanksError(Exception):
    """The ranks cannot go on together; the message says why."""


class Ranks:
    """The processes of a training: this one alone."""

    number = 0
    """Of this process, from 0."""
    count = 1

    lost: str | None = None
    """Why others are gone, in a sentence; None while all are there."""

    @property
    def alone(self) -> bool:
        return self.count == 1

    @property
    def is_first(self) -> bool:
        """Whether this process writes the run and speaks for all."""
        return self.number == 0

    @property
    def share(self) -> tuple[int, int]:
        """As `Batches` takes it."""
        return self.number, self.count

    def place(self, device: str) -> str:
        """The device that this rank takes where the user asks for `device`. Raises DeviceError."""
        return device

    def together(self, act: Callable[[], Result]) -> Result:
        """What `act` gives here; what goes wrong for the user on one rank is raised on all."""
        return act()

    def from_first(self, act: Callable[[], Result]) -> Result:
        """What `act` gives on the first rank, for all; it is not called on the others."""
        return act()

    def one_by_one(self, act: Callable[[], Result]) -> Result:
        """What `act` gives here; the first rank of a machine does it before the others, who find it done."""
        return act()

    def spread(self, model: nn.Module) -> None:
        """Gives all ranks the first one's weights."""

    def add_up(self, model: nn.Module, numbers: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """Sums the gradients of all ranks, and two numbers, each a tensor without dimensions."""
        return numbers

    def summed(self, numbers: Sequence[float]) -> list[float]:
        """The sums over all ranks, exact to float64."""
        return list(numbers)

    def added(self, sums: Tensor) -> Tensor:
        """The sum over all ranks of a tensor, which is changed."""
        return sums

    def highest(self, numbers: Sequence[int]) -> list[int]:
        """The highest of each over all ranks."""
        return list(numbers)

    def leave_word(self, sentence: str) -> None:
        """Why this rank ends alone, for those that notice."""

    def is_first_to_say(self) -> bool:
        """Whether no other rank has asked this, so that what all notice is said once."""
        return True


ALONE = Ranks()


def are_several() -> bool:
    """Whether torchrun started this process beside others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def speaks_for_all() -> bool:
    """Whether this process says what all of them know."""
    return not are_several() or os.environ.get("RANK", "0") == "0"


def were_restarted() -> bool:
    """Whether torchrun has started all ranks anew because one was lost (`--max-restarts`)."""
    return os.environ.get("TORCHELASTIC_RESTART_COUNT", "0") != "0"


def launch() -> str:
    """What all starts by one torchrun have in common."""
    name = os.environ.get("TORCHELASTIC_RUN_ID", "none")
    # torchrun itself, which is this process's parent, goes by "none" where it was given no name.
    return f"none-{os.getppid()}" if name == "none" else name
