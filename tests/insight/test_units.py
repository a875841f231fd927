"""What is asked of every unit of an output, compared with plain expressions."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from cnnstudio.insight import units
from cnnstudio.insight.units import count_outside, dead_units, sample_each

SHAPES = [(1, 1, 1, 1), (3, 7, 5, 4), (4, 33, 1, 1), (2, 5, 1, 300), (0, 3, 2, 2)]


def outputs(shape: tuple[int, ...]) -> list[Tensor]:
    """The same values in two memory orders, with units that are dead for some images and for all."""
    found = torch.randn(shape, generator=torch.Generator().manual_seed(1)).clamp(-1, 1)
    found[:, ::3] = 0
    found[:1, 1::3] = 0
    if found.numel() > 50:
        found[-1, 0, 0, -1] = torch.nan
    return [found, found.to(memory_format=torch.channels_last)]


@pytest.mark.parametrize("shape", SHAPES)
def test_a_unit_is_dead_if_it_is_0_for_all_images(shape: tuple[int, ...]) -> None:
    for output in outputs(shape):
        expected = (output == 0).all(3).all(2).all(0)
        assert torch.equal(dead_units(output), expected)
        assert torch.equal(dead_units(output.flatten(2)), expected)


@pytest.mark.parametrize("part", [1, 40, 2**18])
@pytest.mark.parametrize("shape", SHAPES)
def test_values_outside_are_counted(
    shape: tuple[int, ...], part: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(units, "_PART", part)
    for output in outputs(shape):
        expected = ((output < -0.5) | (output > 0.9)).sum((0, 2, 3))
        assert torch.equal(count_outside(output, -0.5, 0.9), expected)


@pytest.mark.parametrize("limit", [1, 6, 10_000])
@pytest.mark.parametrize("shape", SHAPES)
def test_samples_are_evenly_distributed_in_the_order_of_the_units(shape: tuple[int, ...], limit: int) -> None:
    for output in outputs(shape):
        step = -(-output[0].numel() // limit) if len(output) else 1
        step += step > 1 and step % 2 == 0
        found = sample_each(output, limit)
        if len(output):
            torch.testing.assert_close(found, output.flatten(1)[:, ::step], rtol=0, atol=0, equal_nan=True)
        else:
            assert len(found) == 0
