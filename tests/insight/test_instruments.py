"""The contract of all instruments: readings, their arrays in files, JSON, and what is refused."""

from __future__ import annotations

import json
from collections.abc import Iterator

import numpy as np
import pytest
import torch

from cnnstudio.insight import catalog
from cnnstudio.insight.catalog import instrument, instruments
from cnnstudio.insight.instrument import Instrument, InstrumentError, Need, Subject, When, finish
from cnnstudio.insight.reading import MAX_BYTES, Array, Reading
from cnnstudio.training.model import Model, build_model
from tests.training.images import colors
from tests.training.networks import tiny

DATA = colors(test=40)
NAMES = (
    "feature_maps",
    "filters",
    "histograms",
    "confusion",
    "mistakes",
    "calibration",
    "predictions",
    "robustness",
    "embedding",
    "not_sure",
    "nearest",
)
OPTIONAL = {"values", "change", "gradient_counts", "gradient_low", "gradient_high"}
SUBJECT = Subject(
    classes=DATA.classes,
    layer="conv2d_1",
    images=DATA.test.images[:6],
    image=2,
    labels=DATA.test.labels[:6],
    split=DATA.test,
    training=DATA.train,
)


def make_model() -> Model:
    torch.manual_seed(3)
    model = build_model(tiny())
    model.set_normalization([0.4, 0.4, 0.4], [0.2, 0.2, 0.2])
    return model.eval()


@pytest.fixture
def model() -> Model:
    return make_model()


@pytest.fixture(scope="module")
def readings() -> dict[str, Reading]:
    return {name: finish(each.take(make_model(), SUBJECT)) for name, each in instruments().items()}


every = pytest.mark.parametrize("name", instruments())


def test_the_instruments_are_found_by_their_files() -> None:
    assert set(NAMES) <= set(instruments())
    with pytest.raises(InstrumentError, match="no instrument “x-ray”; choose one of feature_maps"):
        instrument("x-ray")


def test_a_file_is_enough_to_add_an_instrument(tmp_path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "extra_one.py").write_text(
        "from cnnstudio.insight.instrument import Instrument\n"
        "class Extra(Instrument):\n    name = title = 'extra'\n    needs = frozenset()\n"
        "    def take(self, model, subject): ...\n"
    )
    monkeypatch.setattr(catalog.package, "__path__", [*catalog.package.__path__, str(tmp_path)])
    assert "extra" in catalog.instruments.__wrapped__()


@every
def test_an_instrument_says_what_it_is_and_needs(name: str) -> None:
    found = instrument(name)
    assert found.title
    assert found.reading.title
    assert When.DEMAND in found.when
    assert found.needs <= set(Need)


@every
def test_packed_and_unpacked_it_is_the_same(name: str, readings: dict[str, Reading]) -> None:
    reading = readings[name]
    packed = reading.pack()
    assert all(isinstance(each, np.ndarray) and each.dtype.kind in "iuf" for each in packed.values())
    again = instrument(name).unpack(packed)
    assert type(again) is type(reading)
    assert again.to_json() == reading.to_json()
    for key, value in again.pack().items():
        np.testing.assert_array_equal(value, packed[key])
    assert again.summary() == reading.summary()


@every
def test_json_has_a_shape_beside_each_list(name: str, readings: dict[str, Reading]) -> None:
    content = json.loads(json.dumps(readings[name].to_json(), allow_nan=False))
    arrays = [each for each in content.values() if isinstance(each, dict) and "shape" in each]
    assert arrays
    for each in arrays:
        if "values" in each:
            assert list(np.array(each["values"]).shape) == each["shape"]


@every
def test_the_summary_is_one_sentence(name: str, readings: dict[str, Reading]) -> None:
    summary = readings[name].summary()
    assert summary.endswith(".")
    assert "\n" not in summary
    assert ". " not in summary.replace("e. g.", "")


@every
def test_arrays_are_read_only(name: str, readings: dict[str, Reading]) -> None:
    for value in vars(readings[name]).values():
        if isinstance(value, np.ndarray):
            assert not value.flags.writeable


@every
def test_the_fraction_done_rises_to_one_and_the_model_stays_as_it_was(name: str, model: Model) -> None:
    model.train()
    before = {key: value.clone() for key, value in model.state_dict().items()}
    random = torch.get_rng_state()
    taking = instrument(name).take(model, SUBJECT)
    fractions = []
    while True:
        try:
            fractions.append(next(taking))
        except StopIteration:
            break
        # Between two slices the training goes on with the same model.
        assert all(module.training for module in model.modules())
        assert not any(module._forward_hooks for module in model.modules())
    assert fractions
    assert fractions == sorted(fractions)
    assert all(0 < fraction <= 1 for fraction in fractions)
    assert all(torch.equal(value, before[key]) for key, value in model.state_dict().items())
    assert all(parameter.grad is None for parameter in model.parameters())
    assert torch.equal(torch.get_rng_state(), random)


@every
def test_what_is_missing_is_a_sentence(name: str, model: Model) -> None:
    with pytest.raises(InstrumentError, match=r"\.$"):
        finish(instrument(name).take(model, Subject(classes=DATA.classes)))


def damaged(packed: dict[str, Array]) -> Iterator[tuple[str, dict[str, Array]]]:
    """Every array missing, of another type, of another shape, too large, and with impossible numbers."""
    for key, value in packed.items():
        if not value.size:
            continue
        yield f"{key} of objects", packed | {key: np.array([{"a": 1}], object)}
        yield f"{key} of text", packed | {key: np.array(["a"])}
        yield f"{key} of complex numbers", packed | {key: value.astype(np.complex128)}
        yield f"{key} of another precision", packed | {key: value.astype(np.float16)}
        yield f"{key} with an axis more", packed | {key: value[None]}
        if value.ndim:
            yield f"{key} as a number", packed | {key: value.ravel()[:1].reshape(())}
        huge = (1,) * (value.ndim - 1) + (MAX_BYTES + 1,) if value.ndim else (MAX_BYTES + 1,)
        # Takes no memory: all entries are the same one.
        yield f"{key} too large", packed | {key: np.broadcast_to(value.dtype.type(0), huge)}
        if value.dtype.kind == "f":
            for bad in (np.nan, np.inf, -np.inf):
                yield f"{key} with {bad}", packed | {key: np.full(value.shape, bad, value.dtype)}
        if value.dtype == np.int64:
            for number in (-(2**62), 2**62):
                yield f"{key} with {number}", packed | {key: np.full(value.shape, number, np.int64)}


@every
def test_damaged_arrays_are_refused_in_one_sentence(name: str, readings: dict[str, Reading]) -> None:
    packed = readings[name].pack()
    refused = 0
    for what, arrays in damaged(packed):
        print(what)  # shown if it is accepted
        with pytest.raises(ValueError, match=r"^The .*\.$"):
            instrument(name).unpack(arrays)
        refused += 1
    assert refused


@every
def test_a_missing_array_is_refused_unless_it_is_optional(name: str, readings: dict[str, Reading]) -> None:
    packed = readings[name].pack()
    for key in packed:
        rest = {other: value for other, value in packed.items() if other != key}
        if key in OPTIONAL:
            assert key not in instrument(name).unpack(rest).pack()
        else:
            with pytest.raises(ValueError, match=f"has no “{key}”"):
                instrument(name).unpack(rest)


@every
def test_arrays_of_a_later_version_are_ignored(name: str, readings: dict[str, Reading]) -> None:
    packed = readings[name].pack() | {"novelty": np.zeros(3)}
    assert instrument(name).unpack(packed).to_json() == readings[name].to_json()


def test_a_reading_of_another_instrument_is_refused(readings: dict[str, Reading]) -> None:
    for name, found in instruments().items():
        for other, reading in readings.items():
            if other != name:
                with pytest.raises(ValueError, match=r"\.$"):
                    found.unpack(reading.pack())


def test_every_instrument_has_a_reading_of_its_own() -> None:
    found: list[Instrument] = list(instruments().values())
    assert len({each.reading for each in found}) == len(found)
