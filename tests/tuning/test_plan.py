"""The plan of a search is saved as a file from which another search can be started."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest

from cnnstudio.core.files import write_json
from cnnstudio.core.parameters import parameters
from cnnstudio.training.recipe.built_in import FAST_GPU, LESSON, STUDIO
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.tuning.errors import SearchError
from cnnstudio.tuning.plan import Plan, plan_from_json, read_plan
from cnnstudio.tuning.search_syntax import parse_vary
from cnnstudio.tuning.space import Space, default_space
from tests.training.networks import tiny

ROOT = Path(__file__).resolve().parents[2]
VARIED = (
    *("learning_rate=0.001..0.1", "weight_decay=0..0.1", "batch_size=8,16", "conv2d_1.filters=4..16:4"),
    *("conv2d_1.kernel_size=3,5x3", "dense_1.use_bias=true,false", "epochs=1..100", "epochs=2..9:linear"),
)


@pytest.mark.parametrize("varied", VARIED)
def test_a_plan_round_trips_through_its_file(varied: str, tmp_path: Path) -> None:
    plan = Plan(Space((parse_vary(varied, tiny()),)), trials=7, prune=False)
    write_json(tmp_path / "search.json", plan.to_json())
    assert read_plan(tmp_path / "search.json", tiny()) == plan


@pytest.mark.parametrize("recipe", [LESSON, STUDIO, FAST_GPU, Recipe(batch_size=1, learning_rate=100.0)])
def test_by_default_learning_rate_weight_decay_and_batch_size_are_searched(recipe: Recipe) -> None:
    space = default_space(recipe)
    assert space.names == ("learning_rate", "weight_decay", "batch_size")
    rate, _, size = space.dimensions
    assert recipe.learning_rate in rate
    assert recipe.batch_size in size
    # All values are valid.
    for dimension in space.dimensions:
        field = next(each for each in parameters(Recipe) if each.name == dimension.setting.name)
        for value in dimension.values():
            field.validate(value)


def content(**changes: Any) -> dict[str, Any]:
    vary = [{"parameter": "learning_rate", "from": 0.001, "to": 0.1}]
    return {"format": "cnnstudio.search", "version": 1, "vary": vary, **changes}


def test_missing_keys_take_the_defaults() -> None:
    plan = plan_from_json(content(), tiny())
    assert (plan.trials, plan.prune) == (20, True)
    assert plan == Plan(Space((parse_vary("learning_rate=0.001..0.1", tiny()),)))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ([], "not a search file"),
        ({"format": "cnnstudio.recipe"}, "not a search file"),
        (content(version=None), "version: must be an integer of at least 1, got null"),
        (content(version=2), "the file has version 2, but this program reads only up to 1"),
        (content(sampler="tpe"), "sampler: unknown key; valid keys are format, prune, trials, vary, version"),
        (content(vary=[]), "vary: must be a list of the settings to vary, got a list of 0"),
        (content(vary=[3]), 'vary[0]: must be an object with a "parameter", got 3'),
        (content(vary=[{"parameter": "rate"}]), "vary[0] (rate): a recipe has no “rate”"),
        (
            content(vary=[{"parameter": "epochs", "values": 3}]),
            "vary[0] (epochs): values: must be a list, got 3",
        ),
        (content(vary=[{"parameter": "epochs", "form": 1}]), "vary[0] (epochs): form: unknown key"),
        (content(vary=[{"parameter": "epochs", "from": 1}]), "vary[0] (epochs): must be an integer"),
        (
            content(vary=[{"parameter": "epochs", "from": 1, "to": 5, "scale": "square"}]),
            "vary[0] (epochs): scale: must be log or linear, got “square”",
        ),
        (content(trials=0), "trials: must be between 1 and 10,000, got 0"),
        (content(trials="many"), "trials: must be an integer from 1 to 10,000, got “many”"),
        (content(prune="no"), "prune: must be true or false, got “no”"),
    ],
)
def test_an_invalid_file_is_refused_with_the_location(wrong: Any, message: str, tmp_path: Path) -> None:
    path = tmp_path / "mine.json"
    path.write_text(json.dumps(wrong))
    with pytest.raises(SearchError) as caught:
        read_plan(path, tiny())
    assert str(caught.value).startswith("mine.json: ")
    assert message in str(caught.value)


def test_the_file_in_the_documentation_can_be_read() -> None:
    (listing,) = re.findall(r"```json\n(.*?)```", (ROOT / "docs/search.md").read_text(), re.DOTALL)
    plan = plan_from_json(json.loads(listing), tiny())
    assert plan.space.names == ("learning_rate", "conv2d_1.filters", "optimizer")
    assert plan.to_json() == json.loads(listing) | {
        "vary": [{"scale": "linear"} | entry for entry in json.loads(listing)["vary"][:2]]
        + json.loads(listing)["vary"][2:]
    }


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(SearchError, match=r"There is no file .*none\.json"):
        read_plan(tmp_path / "none.json", tiny())
