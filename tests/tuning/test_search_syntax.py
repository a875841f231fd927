"""What is searched is read from the command line as it is written, or refused with the reason."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnstudio.design.edits import replace
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.tuning.errors import SearchError
from cnnstudio.tuning.search_syntax import parse_mark
from cnnstudio.tuning.space import Choices, Range, Space
from tests.training.networks import tiny

RATES = st.floats(1e-8, 100.0)


@given(RATES, RATES)
def test_a_range_of_numbers_is_read_and_logarithmic_from_a_decade_on(one: float, other: float) -> None:
    low, high = sorted((one, other))
    if low == high:
        with pytest.raises(SearchError, match="lower to a higher"):
            parse_mark(f"learning_rate={low!r}..{high!r}", tiny())
        return
    found = parse_mark(f"learning_rate={low!r}..{high!r}", tiny())
    assert isinstance(found, Range)
    assert (found.low, found.high, found.step) == (low, high, None)
    assert found.log == (high / low >= 10)
    assert low in found
    assert high in found


@given(st.integers(1, 500), st.integers(1, 500), st.integers(1, 500))
def test_a_range_of_whole_numbers_holds_its_steps_and_no_more(low: int, more: int, step: int) -> None:
    text = f"conv2d_1.filters={low}..{low + more}:{step}"
    if step > more:
        with pytest.raises(SearchError, match="the step is a whole number from 1"):
            parse_mark(text, tiny())
        return
    found = parse_mark(text, tiny())
    assert list(found.values()) == list(range(low, low + more + 1, step))
    assert found.count == len(found.values())
    assert all(value in found for value in found.values())
    assert low + more + step not in found


@given(st.integers(1, 60_000), st.integers(1, 5_000), st.sampled_from(["", ":log", ":3"]), st.floats(0, 1))
def test_a_share_of_the_way_is_a_value_of_the_range(low: int, more: int, suffix: str, share: float) -> None:
    whole = parse_mark(f"batch_size={low}..{low + max(more, 3)}{suffix}", tiny())
    rate = parse_mark(
        f"momentum={low / 100_000}..{(low + more) / 100_000}{suffix.removesuffix(':3')}", tiny()
    )
    for found in (whole, rate):
        assert found.at(share * 0.999999) in found
    assert whole.at(0.0) == low
    assert whole.at(0.999999) == pytest.approx(whole.values()[-1], rel=0.001)


@given(st.lists(st.integers(1, 65_536), min_size=2, max_size=9))
def test_values_are_kept_once_each_in_their_order(sizes: list[int]) -> None:
    text = "batch-size=" + ", ".join(map(str, sizes))
    if len(set(sizes)) == 1:
        with pytest.raises(SearchError, match="varies nothing"):
            parse_mark(text, tiny())
        return
    found = parse_mark(text, tiny())
    assert isinstance(found, Choices)
    assert found.choices == tuple(dict.fromkeys(sizes))


@given(st.text(max_size=40))
def test_whatever_is_written_is_read_or_refused_in_words(text: str) -> None:
    for each in (text, f"learning_rate={text}", f"conv2d_1.{text}", f"conv2d_1.filters={text}"):
        with contextlib.suppress(SearchError):
            assert parse_mark(each, tiny()).count >= 2


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
def test_every_kind_of_parameter_can_be_marked(text: str, values: tuple[object, ...]) -> None:
    assert tuple(parse_mark(text, tiny()).values()) == values


def test_a_layer_is_found_by_the_name_that_its_user_gave_it() -> None:
    named = replace(tiny(), "dense_1", name="head = a.b")
    assert parse_mark("head = a.b.units=3,4", named).target.name == "dense_1.units"


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("learning_rate", "marks nothing; write NAME=LOW..HIGH"),
        ("=1..2", "marks nothing"),
        ("learning_rate=", "marks nothing"),
        ("learning_rat=1..2", "a recipe has no “learning_rat”; it has epochs"),
        ("conv2d_9.filters=1..2", "there is no layer “conv2d_9”; the layers are conv2d_1, batch"),
        ("Conv2D.filters=1..2", "2 layers are called “Conv2D”; say which by its id: conv2d_1, conv2d_2"),
        ("conv2d_1.filter=1..2", "Conv2D has no parameter “filter”; it has filters"),
        ("flatten_1.rate=1..2", "Flatten has no parameter “rate”; it has none"),
        ("learning_rate=0.1..1000", "learning_rate: 1,000 is out of range: 1e-08 to 100 is possible"),
        ("learning_rate=0.1,slow", "learning_rate: a number from 1e-08 to 100 is needed, not “slow”"),
        ("learning_rate=0.1..nan", "learning_rate: a number that is not finite is out of range"),
        ("conv2d_1.filters=16..64:0", "the step is a whole number from 1 to 48, not 0"),
        ("conv2d_1.filters=16..64:16:log", "a logarithmic range has no steps"),
        ("conv2d_1.filters=16..64:16:8", "behind a range stands a step, or log or linear"),
        ("conv2d_1.filters=1.5..8", "a whole number from 1 to"),
        ("weight_decay=0..0.1:log", "a logarithmic range begins above 0"),
        ("weight_decay=0..0.1:0.01", "steps are for whole numbers"),
        ("conv2d_1.kernel_size=3..5", "only a number has a range"),
        ("optimizer=sgd,adagrad", "“adagrad” is not possible; one of sgd, adam"),
        ("seed=1,2", "seed: this is not searched: the best seed would be mere luck"),
        ("validation-share=0.1,0.2", "this is not searched: trials are compared on the same images"),
    ],
)
def test_what_makes_no_sense_is_refused_with_the_reason(text: str, sentence: str) -> None:
    with pytest.raises(SearchError) as caught:
        parse_mark(text, tiny())
    assert sentence in str(caught.value)


def test_one_setting_is_not_varied_twice() -> None:
    marks = [parse_mark(text, tiny()) for text in ("epochs=1,2", "epochs=3..4")]
    with pytest.raises(SearchError, match="epochs is varied twice"):
        Space(tuple(marks))


def test_values_reach_the_recipe_and_the_layers_they_belong_to() -> None:
    marks = ("learning_rate=0.001..0.1", "conv2d_2.filters=2..8", "dense_1.use_bias=true,false")
    space = Space(tuple(parse_mark(text, tiny()) for text in marks))
    values = {"learning_rate": 0.05, "conv2d_2.filters": 3, "dense_1.use_bias": False}
    network, recipe = space.applied(tiny(), Recipe("mine", momentum=0.5), values)
    assert space.read(network, recipe) == values
    assert (recipe.name, recipe.momentum) == ("mine", 0.5)
    assert network.node("conv2d_1") == tiny().node("conv2d_1")
    assert space.values_from_json(space.values_to_json(values)) == values
