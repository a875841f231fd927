"""Several ranks connected by torch.distributed: gloo on the CPU, NCCL for tensors on CUDA."""

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
from cnnstudio.training.distributed.ranks import SINGLE_PROCESS, Ranks, RanksError, Result, is_distributed
from cnnstudio.training.hardware.device import DeviceError

_SETUP_TIMEOUT = timedelta(minutes=30)
"""For work before the first step: one rank may have to decode all images while the others wait."""

_TRAINING_TIMEOUT = timedelta(seconds=45)
"""For all ranks to reach the same collective during training. A rank that takes longer counts as lost."""

_RANK_LOST = (
    "Another process of this training ended or became unreachable, so all of them stop. "
    "Use --resume to continue from the last checkpoint."
)


class ProcessGroupRanks(Ranks):
    """One of several ranks. Every collective raises RanksError if another rank does not take part."""

    def __init__(self, store: Store, device: torch.device) -> None:
        self.rank, self.world_size = dist.get_rank(), dist.get_world_size()
        self._store = store
        self._device = device
        # Creating a group is itself a collective: both are made here, in the same order on every rank.
        # Control messages are in main memory and use gloo on every device: over NCCL each of them would make
        # the host wait until the accelerator has finished all work queued before it.
        self._control_group = dist.new_group(backend="gloo", timeout=_TRAINING_TIMEOUT)
        # On the CPU one group serves both. Within a group calls are matched only by their order, which is
        # safe because each rank makes them one after the other.
        self._tensor_group = dist.new_group(backend="nccl") if device.type == "cuda" else self._control_group

    def resolve_device(self, device: str) -> str:
        return str(self._device)

    def run_on_all(self, function: Callable[[], Result]) -> Result:
        """See `Ranks`. Raises this rank's UserError or another rank's, and RanksError if one is gone."""
        try:
            result = function()
        except UserError as error:
            # The others wait in the same collective, even where their own `function` succeeded.
            self._gather_errors(str(error))
            raise
        # Only UserErrors are exchanged. Any other exception is a bug or an interrupt and ends this process;
        # the others then find the connection closed.
        for message in self._gather_errors(None):
            if message is not None:
                # Of rank order, the first: all ranks without an error of their own raise the same one. Its
                # subclass is lost, because only text is exchanged.
                raise UserError(message)
        return result

    def _gather_errors(self, message: str | None) -> list[str | None]:
        """Each rank's error message; None for those without an error."""
        messages: list[str | None] = [None] * self.world_size
        with self._rank_errors():
            # In the default group, which has the long timeout: `function` may take one rank minutes.
            dist.all_gather_object(messages, message)
        return messages

    def broadcast_result(self, function: Callable[[], Result]) -> Result:
        # First an exchange of errors, so that the others do not wait for a result that will never come.
        result = self.run_on_all(lambda: function() if self.is_first else None)
        message: list[Any] = [result]
        with self._rank_errors():
            dist.broadcast_object_list(message)
        return message[0]  # type: ignore[no-any-return]  # the first rank's Result

    def local_main_process_first(self, function: Callable[[], Result]) -> Result:
        # Every rank takes part in both rounds: each machine's first rank works in round one, the rest in two.
        if os.environ.get("LOCAL_RANK", "0") != "0":
            self.run_on_all(lambda: None)
            return self.run_on_all(function)
        result = self.run_on_all(function)
        self.run_on_all(lambda: None)
        return result

    def broadcast_weights(self, model: nn.Module) -> None:
        # One message per tensor, in the order of the state dict, which follows from the design and is the
        # same on all ranks. It is called once or twice in a run, so it need not be faster.
        with self._rank_errors():
            for value in model.state_dict().values():
                dist.broadcast(value, 0, group=self._tensor_group)

    def all_reduce_gradients(self, model: nn.Module, scalars: tuple[Tensor, Tensor]) -> tuple[Tensor, Tensor]:
        """See `Ranks`. One all-reduce of a float32 vector: all gradients, then the two numbers."""
        # Not DistributedDataParallel: it averages over ranks, although their shards may differ in size; it
        # wraps the model, which everything else uses as it is; and it cannot carry the loss, which all ranks
        # need at the same step, to end together when it becomes NaN. Here one message holds everything.
        weights = [weight for weight in model.parameters() if weight.requires_grad]
        for weight in weights:
            # The message must have the same length on every rank, also where a shard is empty.
            if weight.grad is None:
                weight.grad = torch.zeros_like(weight)
        # In memory order: a gradient has its weight's layout, which is the same on all ranks.
        gradients = [_flatten_in_memory_order(weight.grad) for weight in weights if weight.grad is not None]
        message = torch.cat([*gradients, *(scalar.detach().float().view(1) for scalar in scalars)])
        self.all_reduce_(message)
        *sums, first, second = message.split([*map(len, gradients), 1, 1])
        # Optimizers (Muon's orthogonalization too) and gradient clipping work on the summed gradients, which
        # are the same on all ranks. So the weights stay the same without ever being sent again.
        torch._foreach_copy_(gradients, sums)
        return first[0], second[0]

    def all_reduce_sum(self, numbers: Sequence[float]) -> list[float]:
        # In main memory, over gloo: these numbers were read from the device already.
        sums = torch.tensor(numbers, dtype=torch.float64)
        with self._rank_errors():
            dist.all_reduce(sums, group=self._control_group)
        return sums.tolist()

    def all_reduce_(self, tensor: Tensor) -> Tensor:
        """See `Ranks`: any shape and dtype, summed in place, over NCCL on CUDA and over gloo on the CPU."""
        with self._rank_errors():
            dist.all_reduce(tensor, group=self._tensor_group)
        return tensor

    def all_reduce_max(self, numbers: Sequence[int]) -> list[int]:
        maxima = torch.tensor(numbers)
        with self._rank_errors():
            dist.all_reduce(maxima, dist.ReduceOp.MAX, group=self._control_group)
        return maxima.tolist()

    def post_failure(self, reason: str) -> None:
        # Through the store, not a collective: the others may be in the middle of a different one.
        try:
            self._store.set("reason", reason)
        except RuntimeError:
            return

    def is_first_to_report(self) -> bool:
        try:
            return self._store.add("said", 1) == 1
        except RuntimeError:
            # The store is gone with the rank that held it: better reported twice than not at all.
            return True

    def close(self) -> None:
        """Disconnects at once, which ends the waiting of other ranks for one that failed."""
        # A group's threads end with the last reference to the group; one that still runs while the
        # interpreter shuts down may abort the process. Models and trainers keep referring to this object, so
        # its references must go. Torch's module `torch.distributed.nn` would hold one to the default group
        # if it were imported while that exists: it is imported above, before.
        del self._control_group, self._tensor_group, self._store
        dist.destroy_process_group()

    @contextmanager
    def _rank_errors(self) -> Iterator[None]:
        """Inside, an error of torch.distributed is raised as RanksError."""
        try:
            yield
        except RuntimeError:
            # torch raises plain RuntimeErrors here, for a closed connection as for a timeout, with messages
            # about sockets: the reason that the lost rank posted says more.
            self.failure_reason = self._read_failure()
            raise RanksError(self.failure_reason) from None

    def _read_failure(self) -> str:
        """What the lost rank posted before it ended, if it did."""
        # `check` first: `get` alone would wait for the key until the timeout of 30 minutes.
        try:
            return self._store.get("reason").decode() if self._store.check(["reason"]) else _RANK_LOST
        except RuntimeError:
            return _RANK_LOST


@contextmanager
def process_group(device: str) -> Iterator[Ranks]:
    """Inside, this process is connected to the others that torchrun started; SINGLE_PROCESS without torchrun.

    `device` is what the user asked for. Raises DeviceError or RanksError.
    """
    if not is_distributed():
        yield SINGLE_PROCESS
        return
    # Before connecting: a rank without a device fails at once, and torchrun then ends the others.
    rank_device = _choose_rank_device(device)
    try:
        store, rank, world_size = next(rendezvous("env://", timeout=_SETUP_TIMEOUT))
        store = _store_of_this_start(store, rank, world_size)
        dist.init_process_group("gloo", store=store, rank=rank, world_size=world_size, timeout=_SETUP_TIMEOUT)
        ranks = ProcessGroupRanks(store, rank_device)
    except (RuntimeError, ValueError) as error:
        raise RanksError(f"The processes of this training cannot connect to each other: {error}") from None
    try:
        yield ranks
    finally:
        ranks.close()


def _store_of_this_start(store: Store, rank: int, world_size: int) -> Store:
    """A section of the store that only the processes of this start have written to.

    When torchrun restarts all ranks, the store still holds the addresses of the lost ones, to which the new
    ranks would try to connect. The first rank therefore announces a random section name under "start", and
    shows that it is alive by answering each rank's token there.
    """
    token = uuid4().hex
    if rank == 0:
        # Rank by rank, each `get` waiting for the key, so that all are there when the first rank goes on.
        store.set("start", token)
        for other in range(1, world_size):
            theirs = store.get(f"{token}/{other}").decode()
            store.set(f"{token}/{other}/{theirs}", "")
        return PrefixStore(token, store)
    deadline = time.monotonic() + _SETUP_TIMEOUT.total_seconds()
    while time.monotonic() < deadline:
        # This may still be the section of the previous start. Then nobody answers, and after half a second
        # the name is read again.
        section = store.get("start").decode()
        store.set(f"{section}/{rank}", token)
        with suppress(dist.DistStoreError):
            store.wait([f"{section}/{rank}/{token}"], timedelta(seconds=0.5))
            return PrefixStore(section, store)
    raise RuntimeError("the first process does not answer")


def _choose_rank_device(device: str) -> torch.device:
    """One accelerator for each rank of this machine, or the CPU for all. Raises DeviceError."""
    local_rank = int(os.environ.get("LOCAL_RANK", "0"))
    local_count = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if device not in ("auto", "cpu", "cuda"):
        raise DeviceError(
            f"device: must be cuda or cpu under torchrun, where each process has its own GPU, not {device}"
        )
    available = torch.cuda.device_count() if torch.cuda.is_available() else 0
    if device == "cpu" or (device == "auto" and not available):
        return torch.device("cpu")
    if available < local_count:
        fewer = f"start only {available}" if available else "use a machine with GPUs"
        raise DeviceError(
            f"device: {local_count} processes need {local_count} GPUs, but this machine has {available}: "
            f"{fewer}, or use --device cpu"
        )
    torch.cuda.set_device(local_rank)
    return torch.device("cuda", local_rank)


def _flatten_in_memory_order(tensor: Tensor) -> Tensor:
    """All values as a 1-d view, in whatever order they lie in memory (channels_last or not)."""
    return tensor.detach().as_strided((tensor.numel(),), (1,))
