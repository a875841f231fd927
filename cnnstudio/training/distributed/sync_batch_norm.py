"""BatchNormalization with statistics over the batches of all ranks, as `nn.SyncBatchNorm` computes them.

torch's own needs CUDA; this one works on any device. Each layer costs one collective in the forward pass and
one in the backward pass. They have to happen on every rank, in the order of the layers: a rank whose shard of
a small batch is empty still runs the model forward and backward, with zero images (see `TrainingStep`).

Without it, each rank would normalize by its own shard, and the run would not be the one that a single
process makes.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from torch.nn import functional as F
from torch.nn.modules.batchnorm import _BatchNorm

from cnnstudio.training.distributed.ranks import Ranks


class SyncBatchNorm(_BatchNorm):
    """Replaces a BatchNormalization module, sharing its weights and running statistics."""

    def __init__(self, original: _BatchNorm, ranks: Ranks) -> None:
        super().__init__(original.num_features, original.eps, original.momentum, affine=False)
        # The same objects, not copies: whatever refers to the weights of the original refers to the model's.
        self._parameters.update(original._parameters)
        self._buffers.update(original._buffers)
        self._ranks = ranks

    def _check_input_dim(self, input: Tensor) -> None:
        """Accepts any input: the replaced module was made for it."""

    def forward(self, input: Tensor) -> Tensor:
        """The normalized input, of its shape and dtype: float (N, C) or (N, C, H, W), where N may be 0.

        In training mode, contains one collective in which every rank must take part.
        """
        if not self.training:
            return super().forward(input)
        # Detached: the gradient through the statistics is computed by hand in `backward`, because autograd
        # does not know that they depend on the images of other ranks too.
        mean, variance, count = self._statistics(input.detach())
        # Running statistics take the unbiased variance, the normalization itself the biased one, as in torch.
        self._update_running_statistics(mean, variance * (count / (count - 1)))
        arguments = input, self.weight, self.bias, mean, variance, count, self.eps, self._ranks
        return _BatchNormFunction.apply(*arguments)  # type: ignore[no-any-return, no-untyped-call]  # untyped in torch

    def _statistics(self, input: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Mean (C,), biased variance (C,) and values per channel (), float32, over all ranks.

        `input` is (N, C) or (N, C, H, W); N may be 0.
        """
        values = input.numel() // self.num_features
        reduced = [dimension for dimension in range(input.ndim) if dimension != 1]
        # Sums, sums of squares and the number of values can simply be added over the ranks. Means and
        # variances cannot, because shards differ in size.
        sums = input.new_zeros(2 * self.num_features + 1, dtype=torch.float64)
        if values:
            # Two passes over the values, in a tenth of the time of `torch.var_mean`.
            floats = input.float()
            center = floats.mean(reduced, keepdim=True)
            variance = (floats - center).square_().mean(reduced).double()
            mean = center.flatten().double()
            sums = torch.cat([mean, variance + mean.square(), mean.new_ones(1)]) * values
        # E[x²] - E[x]² is a small difference of large numbers, hence float64.
        sums = self._ranks.all_reduce_(sums)
        count = sums[-1]
        mean, squares = (sums[:-1] / count).chunk(2)
        return mean.float(), (squares - mean.square()).clamp(min=0).float(), count.float()

    @torch.no_grad()
    def _update_running_statistics(self, mean: Tensor, variance: Tensor) -> None:
        """As torch does; every rank computes the same, so the buffers need no broadcast."""
        assert self.running_mean is not None, "all layers here track running statistics"
        assert self.running_var is not None
        assert self.num_batches_tracked is not None
        assert self.momentum is not None
        self.num_batches_tracked.add_(1)
        self.running_mean.lerp_(mean.to(self.running_mean), self.momentum)
        self.running_var.lerp_(variance.to(self.running_var), self.momentum)


class _BatchNormFunction(torch.autograd.Function):
    """Normalization by statistics that depend on the values of all ranks."""

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
        """Normalizes `input`, (N, C, …), by `mean` and `variance`, float32 (C,), of `count` values, ().

        `weight` and `bias` are (C,). The statistics are given, so that this contains no collective.
        """
        ctx.save_for_backward(input, weight, mean, variance, count)
        ctx.epsilon, ctx.ranks = epsilon, ranks
        return F.batch_norm(input, mean, variance, weight, bias, False, 0.0, epsilon)

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, gradient: Tensor) -> tuple[Tensor | None, ...]:
        """Ioffe and Szegedy 2015, section 3, with the sums over the batch taken over all ranks.

        `gradient` has the shape and dtype of the input. Returns one gradient for each argument of `forward`,
        of that argument's shape; None from `mean` on.
        """
        input, weight, mean, variance, count = ctx.saved_tensors
        if len(input):
            # The gradients as if the statistics were constants; the terms through them are added below.
            input_gradient, weight_gradient, bias_gradient = torch.ops.aten.native_batch_norm_backward(
                *(gradient, input, weight, mean, variance, None, None),
                *(False, ctx.epsilon, [True, True, True]),
            )
        else:
            input_gradient = torch.zeros_like(input)
            weight_gradient, bias_gradient = mean.new_zeros(2, len(mean))
        # These are sums over the batch: of gradient * normalized value, and of the gradient.
        sums = torch.cat([weight_gradient, bias_gradient]).float()
        # With x̂ = (x - mean) · scale, the gradient of the input is
        #   weight · scale · (gradient - mean of gradients - x̂ · mean of gradient · x̂),
        # with the means over the whole batch. It is rearranged below as a multiple of x plus a constant per
        # channel, so that x̂ is never stored.
        mean_products, mean_gradients = (ctx.ranks.all_reduce_(sums) / count).chunk(2)
        scale = (variance + ctx.epsilon).rsqrt()
        slope = mean_products * scale
        factor = scale if weight is None else scale * weight
        shape = (1, -1, *(1,) * (input.ndim - 2))
        input_gradient = input_gradient - ((mean_gradients - slope * mean) * factor).view(shape)
        input_gradient = input_gradient.addcmul_(input, (-slope * factor).view(shape)).to(input.dtype)
        # Of this rank's shard only: `all_reduce_gradients` sums them with all others.
        parameter_gradients = (None, None) if weight is None else (weight_gradient, bias_gradient)
        return input_gradient, *parameter_gradients, None, None, None, None, None


def convert_sync_batch_norm(model: nn.Module, ranks: Ranks) -> None:
    """Replaces the model's BatchNormalizations, if there are several ranks."""
    if ranks.is_single_process:
        return
    for parent in list(model.modules()):
        for name, child in parent.named_children():
            if isinstance(child, _BatchNorm):
                setattr(parent, name, SyncBatchNorm(child, ranks))
