"""Modules loaded from the helper sources that are written into generated files."""

from __future__ import annotations

import copy
import traceback

import pytest

from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.squeeze_excite import SqueezeExcite
from cnnstudio.layers.groups.parallel import Parallel

torch = pytest.importorskip("torch")
nn = torch.nn

SHAPE = Shape.of(8, 4, 4)


def test_a_traceback_shows_the_line_of_the_helper_source() -> None:
    ((_, module),) = SqueezeExcite().build(SHAPE)
    try:
        module(torch.zeros(2, 8))
    except IndexError:
        assert "means = x.mean((2, 3))" in traceback.format_exc()
    else:
        raise AssertionError("a flat vector has no height and width")


def test_helper_modules_can_be_copied_and_compiled() -> None:
    module = nn.Sequential(Parallel().build_group(SHAPE, [SHAPE, SHAPE], [nn.Identity(), nn.ReLU()]))
    images = torch.randn(2, *SHAPE.dims)
    expected = module(images)
    assert torch.equal(copy.deepcopy(module)(images), expected)
    torch.testing.assert_close(torch.compile(module, backend="eager", fullgraph=True)(images), expected)
