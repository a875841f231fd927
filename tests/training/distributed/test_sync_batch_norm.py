"""The synchronized BatchNormalization equals torch's own if one rank has the whole batch."""

from __future__ import annotations

import copy

import pytest
import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from cnnstudio.training.distributed.ranks import SINGLE_PROCESS, Ranks
from cnnstudio.training.distributed.sync_batch_norm import SyncBatchNorm, convert_sync_batch_norm

NORMALIZATIONS = {
    "images": (nn.BatchNorm2d(3, momentum=0.3), (6, 3, 4, 5)),
    "without weights": (nn.BatchNorm2d(3, affine=False), (6, 3, 4, 5)),
    "flat": (nn.BatchNorm1d(7), (6, 7)),
}


class Pair(Ranks):
    """Pretends that there is a second rank, with an empty shard."""

    world_size = 2


def learned(module: _BatchNorm, images: Tensor) -> tuple[Tensor, ...]:
    """The output, and the gradients of the input and of the weights."""
    torch.manual_seed(0)
    images = images.clone().requires_grad_()
    module.zero_grad()
    result = module(images)
    (result * torch.randn(result.shape)).sum().backward()
    gradients = [weight.grad for weight in module.parameters() if weight.grad is not None]
    assert images.grad is not None
    return result, images.grad, *gradients


@pytest.mark.parametrize("name", NORMALIZATIONS)
@pytest.mark.parametrize("mean", [0.0, 30.0])
def test_values_gradients_and_statistics_equal_torchs(name: str, mean: float) -> None:
    original, shape = copy.deepcopy(NORMALIZATIONS[name])
    images = torch.randn(shape, generator=torch.Generator().manual_seed(1)) + mean
    shared = SyncBatchNorm(copy.deepcopy(original), SINGLE_PROCESS)
    for _ in range(2):
        for ours, theirs in zip(learned(shared, images), learned(original, images), strict=True):
            torch.testing.assert_close(ours, theirs, rtol=1e-4, atol=1e-4)
    expected = original.state_dict()
    assert list(shared.state_dict()) == list(expected)
    for key, value in shared.state_dict().items():
        torch.testing.assert_close(value, expected[key], rtol=1e-5, atol=1e-5)
    shared.eval()
    original.eval()
    torch.testing.assert_close(shared(images), original(images))


def test_bfloat16_is_normalized_like_torch() -> None:
    original, shape = copy.deepcopy(NORMALIZATIONS["images"])
    images = torch.randn(shape).bfloat16()
    shared = SyncBatchNorm(copy.deepcopy(original), SINGLE_PROCESS)
    for ours, theirs in zip(learned(shared, images), learned(original, images), strict=True):
        assert ours.dtype == theirs.dtype
        torch.testing.assert_close(ours, theirs, rtol=0.05, atol=0.05)


def test_all_normalizations_of_a_model_are_converted_and_keep_names_and_weights() -> None:
    model = nn.Sequential(nn.Conv2d(3, 3, 1), nn.Sequential(nn.BatchNorm2d(3)), nn.BatchNorm2d(3))
    before = model.state_dict()
    convert_sync_batch_norm(model, SINGLE_PROCESS)
    assert not any(isinstance(module, SyncBatchNorm) for module in model.modules())
    convert_sync_batch_norm(model, Pair())
    assert sum(isinstance(module, SyncBatchNorm) for module in model.modules()) == 2
    after = model.state_dict()
    assert list(before) == list(after)
    assert all(after[key].data_ptr() == value.data_ptr() for key, value in before.items())
