"""The values of `--vary` are parsed, or refused with the reason."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnstudio.design.edits import replace
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.tuning.errors import SearchError
from cnnstudio.tuning.search_syntax import parse_vary
from cnnstudio.tuning.space import Choices, Range, Space
from tests.training.networks import tiny

RATES = st.floats(1e-8, 100.0)


@given(RATES, RATES)
def test_a_range_that_spans_a_factor_of_ten_is_logarithmic(one: float, other: float) -> None:
    low, high = sorted((one, other))
    if low == high:
        with pytest.raises(SearchError, match="from a lower to a higher"):
            parse_vary(f"learning_rate={low!r}..{high!r}", tiny())
        return
    found = parse_vary(f"learning_rate={low!r}..{high!r}", tiny())
    assert isinstance(found, Range)
    assert (found.low, found.high, found.step) == (low, high, None)
    assert found.log == (high / low >= 10)
    assert low in found
    assert high in found


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 500))
def test_an_integer_range_contains_exactly_its_steps(low: int, more: int, step: int) -> None:
    text = f"conv2d_1.filters={low}..{low + more}:{step}"
    if step > more:
        with pytest.raises(SearchError, match="the step must be an integer from 1"):
            parse_vary(text, tiny())
        return
    found = parse_vary(text, tiny())
    assert list(found.values()) == list(range(low, low + more + 1, step))
    assert found.count == len(found.values())
    assert all(value in found for value in found.values())
    assert low + more + step not in found


@given(st.integers(1, 60_000), st.integers(1, 5_000), st.sampled_from(["", ":log", ":3"]), st.floats(0, 1))
def test_every_fraction_gives_a_value_of_the_range(low: int, more: int, suffix: str, fraction: float) -> None:
    whole = parse_vary(f"batch_size={low}..{low + max(more, 3)}{suffix}", tiny())
    rate = parse_vary(
        f"momentum={low / 100_000}..{(low + more) / 100_000}{suffix.removesuffix(':3')}", tiny()
    )
    for found in (whole, rate):
        assert found.at(fraction * 0.999999) in found
    assert whole.at(0.0) == low
    assert whole.at(0.999999) == pytest.approx(whole.values()[-1], rel=0.001)


@given(st.lists(st.integers(1, 65_536), min_size=2, max_size=9))
def test_values_keep_their_order_without_duplicates(sizes: list[int]) -> None:
    text = "batch-size=" + ", ".join(map(str, sizes))
    if len(set(sizes)) == 1:
        with pytest.raises(SearchError, match="varies nothing"):
            parse_vary(text, tiny())
        return
    found = parse_vary(text, tiny())
    assert isinstance(found, Choices)
    assert found.choices == tuple(dict.fromkeys(sizes))


@given(st.text(max_size=40))
def test_any_text_is_parsed_or_refused_with_a_search_error(text: str) -> None:
    for each in (text, f"learning_rate={text}", f"conv2d_1.{text}", f"conv2d_1.filters={text}"):
        with contextlib.suppress(SearchError):
            assert parse_vary(each, tiny()).count >= 2


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("conv2d_1.kernel_size=3,5x3", ((3, 3), (5, 3))),
        ("conv2d_1.activation=relu,linear", ("relu", "linear")),
        ("lookahead=true,false", (True, False)),
        ("flip=off,random", ("off", "random")),
        ("MaxPooling2D.pool_size=2,3", ((2, 2), (3, 3))),
    ],
)
def test_every_kind_of_parameter_can_be_varied(text: str, values: tuple[object, ...]) -> None:
    assert tuple(parse_vary(text, tiny()).values()) == values


def test_decimal_commas_are_read_in_a_range() -> None:
    assert parse_vary("learning_rate=0,001..0,1", tiny()) == parse_vary("learning_rate=0.001..0.1", tiny())


def test_a_layer_is_found_by_the_name_that_the_user_gave_it() -> None:
    named = replace(tiny(), "dense_1", name="head = a.b")
    assert parse_vary("head = a.b.units=3,4", named).setting.name == "dense_1.units"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("learning_rate", "is not a setting to vary; write NAME=LOW..HIGH"),
        ("=1..2", "is not a setting to vary"),
        ("learning_rate=", "is not a setting to vary"),
        ("learning_rat=1..2", "a recipe has no “learning_rat”; its fields are epochs"),
        ("conv2d_9.filters=1..2", "there is no layer “conv2d_9”; the layers are conv2d_1, batch"),
        ("Conv2D.filters=1..2", "2 layers are named “Conv2D”; choose one by its id: conv2d_1, conv2d_2"),
        ("conv2d_1.filter=1..2", "Conv2D has no parameter “filter”; its parameters are filters"),
        ("flatten_1.rate=1..2", "Flatten has no parameter “rate”; it has no parameters"),
        ("learning_rate=0.1..1000", "learning_rate: must be between 1e-08 and 100, got 1,000"),
        ("learning_rate=0.1,slow", "learning_rate: must be a number from 1e-08 to 100, got “slow”"),
        ("learning_rate=0.1..nan", "learning_rate: must be a number from 1e-08 to 100, got “nan”"),
        ("weight_decay=0,001", "weight_decay: “001” begins with 0: write decimals with a point"),
        ("weight_decay=0..1,024", "weight_decay: 1,024 could be 1.024 or 1024"),
        ("conv2d_1.filters=16..64:0", "the step must be an integer from 1 to 48, got 0"),
        ("conv2d_1.filters=16..64:16:log", "a logarithmic range cannot have a step"),
        ("conv2d_1.filters=16..64:16:8", "a range can be followed by one step, or by log or linear"),
        ("conv2d_1.filters=1.5..8", "must be an integer from 1 to"),
        ("weight_decay=0..0.1:log", "a logarithmic range must start above 0"),
        ("weight_decay=0..0.1:0.01", "only integer ranges can have a step"),
        ("conv2d_1.kernel_size=3..5", "only numbers can have a range"),
        ("optimizer=sgd,adagrad", "“adagrad” is not valid; choose sgd, adam"),
        ("seed=1,2", "seed: cannot be searched: the best seed would only be luck"),
        ("validation-share=0.1,0.2", "cannot be searched: all trials are compared on the same images"),
    ],
)
def test_invalid_text_is_refused_with_the_reason(text: str, message: str) -> None:
    with pytest.raises(SearchError) as caught:
        parse_vary(text, tiny())
    assert message in str(caught.value)


def test_a_setting_cannot_be_varied_twice() -> None:
    dimensions = [parse_vary(text, tiny()) for text in ("epochs=1,2", "epochs=3..4")]
    with pytest.raises(SearchError, match="epochs is varied twice"):
        Space(tuple(dimensions))


def test_values_are_applied_to_the_recipe_and_the_layers() -> None:
    varied = ("learning_rate=0.001..0.1", "conv2d_2.filters=2..8", "dense_1.use_bias=true,false")
    space = Space(tuple(parse_vary(text, tiny()) for text in varied))
    values = {"learning_rate": 0.05, "conv2d_2.filters": 3, "dense_1.use_bias": False}
    network, recipe = space.apply(tiny(), Recipe("mine", momentum=0.5), values)
    assert space.values_of(network, recipe) == values
    assert (recipe.name, recipe.momentum) == ("mine", 0.5)
    assert network.node("conv2d_1") == tiny().node("conv2d_1")
    assert space.values_from_json(space.values_to_json(values)) == values
