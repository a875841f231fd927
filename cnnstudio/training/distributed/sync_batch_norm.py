"""BatchNormalization by the statistics of a batch that several ranks share.

torch's own (SyncBatchNorm) needs CUDA. This one does the same on any device: one message on the way there,
one on the way back.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from cnnstudio.training.distributed.ranks import Ranks


class SharedBatchNorm(_BatchNorm):
    """Takes another normalization's place, with its weights and statistics."""

    def __init__(self, original: _BatchNorm, ranks: Ranks) -> None:
        super().__init__(original.num_features, original.eps, original.momentum, affine=False)
        self._parameters.update(original._parameters)
        self._buffers.update(original._buffers)
        self._ranks = ranks

    def _check_input_dim(self, input: Tensor) -> None:
        """Any: the one whose place it takes was made for what comes here."""

    def forward(self, input: Tensor) -> Tensor:
        if not self.training:
            return super().forward(input)
        mean, variance, count = self._statistics(input.detach())
        self._follow(mean, variance * (count / (count - 1)))
        given = input, self.weight, self.bias, mean, variance, count, self.eps, self._ranks
        return _Normalized.apply(*given)  # type: ignore[no-any-return, no-untyped-call]  # torch leaves it untyped

    def _statistics(self, input: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean and variance of each channel, and how many values it has, over all ranks."""
        values = input.numel() // self.num_features
        kept = [dimension for dimension in range(input.ndim) if dimension != 1]
        sums = input.new_zeros(2 * self.num_features + 1, dtype=torch.float64)
        if values:
            # In two passes, which take a tenth of the time of `torch.var_mean`.
            floats = input.float()
            center = floats.mean(kept, keepdim=True)
            variance = (floats - center).square_().mean(kept).double()
            mean = center.flatten().double()
            sums = torch.cat([mean, variance + mean.square(), mean.new_ones(1)]) * values
        # Doubles, so that the difference of two large numbers still tells the variance.
        sums = self._ranks.added(sums)
        count = sums[-1]
        mean, squares = (sums[:-1] / count).chunk(2)
        return mean.float(), (squares - mean.square()).clamp(min=0).float(), count.float()

    @torch.no_grad()
    def _follow(self, mean: Tensor, variance: Tensor) -> None:
        """Moves the running statistics, as torch does."""
        assert self.running_mean is not None, "the layers here keep them"
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
        self.running_var.lerp_(variance.to(self.running_var), self.momentum)


class _Normalized(torch.autograd.Function):
    """Values normalized by statistics that depend on the values of all ranks."""

    @staticmethod
    def forward(
        ctx: Any,
        input: Tensor,
        weight: Tensor | None,
        bias: Tensor | None,
        mean: Tensor,
        variance: Tensor,
        count: Tensor,
        epsilon: float,
        ranks: Ranks,
    ) -> Tensor:
        ctx.save_for_backward(input, weight, mean, variance, count)
        ctx.epsilon, ctx.ranks = epsilon, ranks
        return F.batch_norm(input, mean, variance, weight, bias, False, 0.0, epsilon)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Ioffe and Szegedy 2015, section 3, with the sums over the batch taken over all ranks."""
        input, weight, mean, variance, count = ctx.saved_tensors
        if len(input):
            # As if the statistics were given: the sums that are missing then come along.
            moved, products, plain = torch.ops.aten.native_batch_norm_backward(
                *(gradient, input, weight, mean, variance, None, None),
                *(False, ctx.epsilon, [True, True, True]),
            )
        else:
            moved, (products, plain) = torch.zeros_like(input), mean.new_zeros(2, len(mean))
        of_all = ctx.ranks.added(torch.cat([products, plain]).float()) / count
        products_of_all, plain_of_all = of_all.chunk(2)
        scale = (variance + ctx.epsilon).rsqrt()
        slope = products_of_all * scale
        factor = scale if weight is None else scale * weight
        shape = (1, -1, *(1,) * (input.ndim - 2))
        moved = moved - ((plain_of_all - slope * mean) * factor).view(shape)
        moved = moved.addcmul_(input, (-slope * factor).view(shape)).to(input.dtype)
        of_weights = (None, None) if weight is None else (products, plain)
        return moved, *of_weights, None, None, None, None, None


def share_normalization(model: nn.Module, ranks: Ranks) -> None:
    """Has the model's BatchNormalizations look at the batches of all ranks."""
    if ranks.alone:
        return
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm):
                setattr(parent, name, SharedBatchNorm(child, ranks))
