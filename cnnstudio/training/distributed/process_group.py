"""Ranks that talk to each other, over gloo on the CPU and NCCL on CUDA."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from datetime import timedelta
from typing import Any
from uuid import uuid4

import torch
import torch.distributed as dist
import torch.distributed.nn
from torch import Tensor, nn
from torch.distributed.distributed_c10d import PrefixStore, Store
from torch.distributed.rendezvous import rendezvous

from cnnstudio.core.errors import UserError
from cnnstudio.training.distributed.ranks import ALONE, Ranks, RanksError, Result, are_several
from cnnstudio.training.hardware.device import DeviceError

_TO_BEGIN = timedelta(minutes=30)
"""For all ranks to get ready: one may have to read all images while the others wait."""

_TO_ANSWER = timedelta(seconds=45)
"""For all ranks to come to the same place while they train; longer means that one is gone."""

GONE = (
    "Another process of this training is gone or cannot be reached, so all of them end. "
    "With --resume the run goes on from its last checkpoint."
)


class _Joined(Ranks):
    """One of several. What has to do with others raises RanksError where they do not answer."""

    def __init__(self, store: Store, device: torch.device) -> None:
        self.number, self.count = dist.get_rank(), dist.get_world_size()
        self._store = store
        self._device = device
        # Words go through main memory on every device, so that no accelerator has to wait for them.
        self._words = dist.new_group(backend="gloo", timeout=_TO_ANSWER)
        self._numbers = dist.new_group(backend="nccl") if device.type == "cuda" else self._words

    def place(self, device: str) -> str:
        return str(self._device)

    def together(self, act: Callable[[], Result]) -> Result:
        try:
            result = act()
        except UserError as error:
            self._gathered(str(error))
            raise
        for sentence in self._gathered(None):
            if sentence is not None:
                raise UserError(sentence)
        return result

    def _gathered(self, sentence: str | None) -> list[str | None]:
        """What each rank says."""
        sentences: list[str | None] = [None] * self.count
        with self._reaching():
            # In the group of all, which is patient: what is done together may take one of them long.
            dist.all_gather_object(sentences, sentence)
        return sentences

    def from_first(self, act: Callable[[], Result]) -> Result:
        found = self.together(lambda: act() if self.is_first else None)
        message: list[Any] = [found]
        with self._reaching():
            dist.broadcast_object_list(message)
        return message[0]  # type: ignore[no-any-return]  # what `act` gave on the first rank

    def one_by_one(self, act: Callable[[], Result]) -> Result:
        if os.environ.get("LOCAL_RANK", "0") != "0":
            self.together(lambda: None)
            return self.together(act)
        found = self.together(act)
        self.together(lambda: None)
        return found

    def spread(self, model: nn.Module) -> None:
        with self._reaching():
            for value in model.state_dict().values():
                dist.broadcast(value, 0, group=self._numbers)

    def add_up(self, model: nn.Module, numbers: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        # Not DistributedDataParallel: it averages over ranks, whatever their shares; it wraps the model,
        # which all else works with as it is; and it has no room for the loss, which all ranks need to know
        # at the same step, to end together where it is no number. Here one message holds everything.
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        for weight in weights:
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        # As they lie in memory: a gradient lies as its weight does, which is the same on all ranks.
        gradients = [_in_memory_order(weight.grad) for weight in weights if weight.grad is not None]
        message = torch.cat([*gradients, *(number.detach().float().view(1) for number in numbers)])
        self.added(message)
        *sums, first, second = message.split([*map(len, gradients), 1, 1])
        torch._foreach_copy_(gradients, sums)
        return first[0], second[0]

    def summed(self, numbers: Sequence[float]) -> list[float]:
        sums = torch.tensor(numbers, dtype=torch.float64)
        with self._reaching():
            dist.all_reduce(sums, group=self._words)
        return sums.tolist()

    def added(self, sums: Tensor) -> Tensor:
        with self._reaching():
            dist.all_reduce(sums, group=self._numbers)
        return sums

    def highest(self, numbers: Sequence[int]) -> list[int]:
        most = torch.tensor(numbers)
        with self._reaching():
            dist.all_reduce(most, dist.ReduceOp.MAX, group=self._words)
        return most.tolist()

    def leave_word(self, sentence: str) -> None:
        try:
            self._store.set("reason", sentence)
        except RuntimeError:
            return

    def is_first_to_say(self) -> bool:
        try:
            return self._store.add("said", 1) == 1
        except RuntimeError:
            # Nobody can be asked any more: better said twice than not at all.
            return True

    def leave(self) -> None:
        """Lets go of the others at once, even of some that wait for this one, because it failed."""
        # A group's threads end with the last reference to it; one that still lives while the interpreter
        # ends may abort the process. Models and trainers go on referring to this object; and torch's module
        # `nn` to the group of all, where it is first imported while there is one: it is imported above.
        del self._words, self._numbers, self._store
        dist.destroy_process_group()

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        try:
            yield
        except RuntimeError:
            self.lost = self._reason()
            raise RanksError(self.lost) from None

    def _reason(self) -> str:
        """What a rank said that ended alone."""
        try:
            return self._store.get("reason").decode() if self._store.check(["reason"]) else GONE
        except RuntimeError:
            return GONE


@contextmanager
def joined(device: str) -> Iterator[Ranks]:
    """The ranks that torchrun's variables tell of, as long as the context lasts; else this process alone.

    `device` is what the user asked for. Raises DeviceError or RanksError.
    """
    if not are_several():
        yield ALONE
        return
    chosen = _device_of_rank(device)
    try:
        store, number, count = next(rendezvous("env://", timeout=_TO_BEGIN))
        store = _own_part(store, number, count)
        dist.init_process_group("gloo", store=store, rank=number, world_size=count, timeout=_TO_BEGIN)
        ranks = _Joined(store, chosen)
    except (RuntimeError, ValueError) as error:
        raise RanksError(f"The processes of this training do not find each other: {error}") from None
    try:
        yield ranks
    finally:
        ranks.leave()


def _own_part(store: Store, number: int, count: int) -> Store:
    """A part of the store that only those have written to who start now.

    torchrun leaves in it what was written before it started all ranks anew, so that they would look for each
    other in the places of those that are gone.
    """
    mine = uuid4().hex
    if number == 0:
        store.set("start", mine)
        for other in range(1, count):
            theirs = store.get(f"{mine}/{other}").decode()
            store.set(f"{mine}/{other}/{theirs}", "")
        return PrefixStore(mine, store)
    end = time.monotonic() + _TO_BEGIN.total_seconds()
    while time.monotonic() < end:
        # It may be that of a start before: then nobody answers, until the first rank has told the new one.
        start = store.get("start").decode()
        store.set(f"{start}/{number}", mine)
        with suppress(dist.DistStoreError):
            store.wait([f"{start}/{number}/{mine}"], timedelta(seconds=0.5))
            return PrefixStore(start, store)
    raise RuntimeError("the first one does not answer")


def _device_of_rank(device: str) -> torch.device:
    """One accelerator for each rank of this machine, or the CPU for all."""
    number = int(os.environ.get("LOCAL_RANK", "0"))
    count = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if device not in ("auto", "cpu", "cuda"):
        raise DeviceError(
            f"device: under torchrun each process takes its own: give cuda or cpu, not {device}"
        )
    there = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cpu" or (device == "auto" and not there):
        return torch.device("cpu")
    if there < count:
        raise DeviceError(
            f"device: {count} processes on this machine need {count} GPUs, but it has {there}: start "
            f"{there or 'no more than its GPUs'}, or give --device cpu"
        )
    torch.cuda.set_device(number)
    return torch.device("cuda", number)


def _in_memory_order(tensor: Tensor) -> Tensor:
    """All values as one line, without a copy."""
    return tensor.detach().as_strided((tensor.numel(),), (1,))
