"""A search is kept as a file that another search can be made of."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cnnstudio.core.files import write_json
from cnnstudio.core.parameters import parameters
from cnnstudio.training.recipe.recipe import FAST_GPU, LESSON, STUDIO, Recipe
from cnnstudio.tuning.errors import SearchError
from cnnstudio.tuning.plan import Plan, plan_from_json, read_plan
from cnnstudio.tuning.search_syntax import parse_mark
from cnnstudio.tuning.space import Space, usual_space
from tests.training.networks import tiny

ROOT = Path(__file__).resolve().parents[2]
MARKS = (
    *("learning_rate=0.001..0.1", "weight_decay=0..0.1", "batch_size=8,16", "conv2d_1.filters=4..16:4"),
    *("conv2d_1.kernel_size=3,5x3", "dense_1.use_bias=true,false", "epochs=1..100", "epochs=2..9:linear"),
)


@pytest.mark.parametrize("mark", MARKS)
def test_a_plan_comes_back_from_its_file(mark: str, tmp_path: Path) -> None:
    plan = Plan(Space((parse_mark(mark, tiny()),)), trials=7, prune=False)
    write_json(tmp_path / "search.json", plan.to_json())
    assert read_plan(tmp_path / "search.json", tiny()) == plan


@pytest.mark.parametrize("recipe", [LESSON, STUDIO, FAST_GPU, Recipe(batch_size=1, learning_rate=100.0)])
def test_without_marks_rate_decay_and_batch_size_are_searched(recipe: Recipe) -> None:
    space = usual_space(recipe)
    assert space.names == ("learning_rate", "weight_decay", "batch_size")
    rate, _, size = space.dimensions
    assert recipe.learning_rate in rate
    assert recipe.batch_size in size
    # Every one of them is possible.
    for dimension in space.dimensions:
        field = next(each for each in parameters(Recipe) if each.name == dimension.target.name)
        for value in dimension.values():
            field.check(value)


def content(**changes: Any) -> dict[str, Any]:
    vary = [{"parameter": "learning_rate", "from": 0.001, "to": 0.1}]
    return {"format": "cnnstudio.search", "version": 1, "vary": vary, **changes}


def test_what_a_file_leaves_out_takes_the_defaults() -> None:
    plan = plan_from_json(content(), tiny())
    assert (plan.trials, plan.prune) == (20, True)
    assert plan == Plan(Space((parse_mark("learning_rate=0.001..0.1", tiny()),)))


@pytest.mark.parametrize(
    ("wrong", "sentence"),
    [
        ([], "this is no search"),
        ({"format": "cnnstudio.recipe"}, "this is no search"),
        (content(version=None), "version: a whole number from 1 is needed, not null"),
        (content(version=2), "this search is of version 2; this program reads up to 1, so update"),
        (content(sampler="tpe"), "sampler: this is not known here"),
        (content(vary=[]), "vary: a list of what is varied is needed, not a list of 0"),
        (content(vary=[3]), 'vary[0]: an object with a "parameter" is needed, not 3'),
        (content(vary=[{"parameter": "rate"}]), "vary[0] (rate): a recipe has no “rate”"),
        (content(vary=[{"parameter": "epochs", "values": 3}]), "vary[0] (epochs): values: a list is needed"),
        (content(vary=[{"parameter": "epochs", "form": 1}]), "vary[0] (epochs): form: this is not known"),
        (content(vary=[{"parameter": "epochs", "from": 1}]), "vary[0] (epochs): a whole number"),
        (
            content(vary=[{"parameter": "epochs", "from": 1, "to": 5, "scale": "square"}]),
            "vary[0] (epochs): scale: log or linear is needed, not “square”",
        ),
        (content(trials=0), "trials: 0 is out of range: 1 to 10,000 is possible"),
        (content(trials="many"), "trials: a whole number from 1 to 10,000 is needed, not “many”"),
        (content(prune="no"), "prune: true or false is needed, not “no”"),
    ],
)
def test_a_wrong_file_is_refused_with_the_place(wrong: Any, sentence: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(wrong))
    with pytest.raises(SearchError) as caught:
        read_plan(path, tiny())
    assert str(caught.value).startswith("mine.json: ")
    assert sentence in str(caught.value)


def test_the_file_that_the_guide_shows_can_be_read() -> None:
    (listing,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs/search.md").read_text(), re.DOTALL)
    plan = plan_from_json(json.loads(listing), tiny())
    assert plan.space.names == ("learning_rate", "conv2d_1.filters", "optimizer")
    assert plan.to_json() == json.loads(listing) | {
        "vary": [{"scale": "linear"} | mark for mark in json.loads(listing)["vary"][:2]]
        + json.loads(listing)["vary"][2:]
    }


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=r"There is no file .*none\.json"):
        read_plan(tmp_path / "none.json", tiny())
