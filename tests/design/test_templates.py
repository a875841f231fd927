"""The built-in designs."""

from __future__ import annotations

import pytest

from cnnstudio.core.resources import resource
from cnnstudio.design.analysis.analysis import analyze
from cnnstudio.design.file import SUFFIX, design_from_json, design_to_json
from cnnstudio.design.templates import Template, TemplateError, template, templates


@pytest.fixture(params=templates().values(), ids=lambda each: each.name)
def each(request: pytest.FixtureRequest) -> Template:
    found: Template = request.param
    return found


def test_every_design_file_is_listed_in_the_index() -> None:
    files = {path.name.removesuffix(SUFFIX) for path in resource("templates").glob(f"*{SUFFIX}")}
    assert files == set(templates())


def test_a_template_can_be_trained_on_ten_classes_unchanged(each: Template) -> None:
    analysis = analyze(each.network, classes=10)
    assert analysis.problems == ()
    assert analysis.parameters > 10_000


@pytest.mark.parametrize("name", ["lesson-32", "lesson-64"])
def test_the_lesson_ends_with_a_softmax_like_its_listing(name: str) -> None:
    last = template(name).network.nodes[-1].layer
    assert last.without_softmax() != last


def test_a_template_survives_the_file(each: Template) -> None:
    assert design_from_json(design_to_json(each.network)) == each.network


def test_a_template_has_a_title_and_a_description(each: Template) -> None:
    assert each.title
    assert each.description.endswith(".")


def test_the_lesson_has_its_layers_and_the_flatten_missing_in_its_listing() -> None:
    network = template("lesson-32").network
    assert network.name == "Lesson CNN"
    assert [node.layer.summary() for node in network.nodes] == [
        "32 filters 3 × 3, relu",
        "2 × 2",
        "64 filters 3 × 3, relu",
        "2 × 2",
        "to a flat vector",
        "128 units, relu",
        "10 units, softmax",
    ]
    assert [node.layer.type_name() for node in network.nodes].index("Flatten") == 4
    assert analyze(network).parameters == 315_722


def test_the_larger_lesson_is_the_same_network_for_larger_images() -> None:
    small, large = template("lesson-32").network, template("lesson-64").network
    assert large.nodes == small.nodes
    assert large.input.dims == (3, 64, 64)


def test_resnet_20_has_the_parameter_count_of_its_paper() -> None:
    analysis = analyze(template("resnet-20").network)
    # He et al. 2015, table 6: 0.27 million parameters, without the two projections of this design.
    assert analysis.parameters == 269_722 + (16 + 2) * 32 + (32 + 2) * 64
    assert any(node.layer.type_name() == "Residual" for node in analysis.network.walk())


def test_an_unknown_name_is_rejected_with_a_list_of_all_names() -> None:
    with pytest.raises(TemplateError, match="unknown template “lenet”; choose from lesson-32, lesson-64"):
        template("lenet")


def test_airbench94_has_the_parameter_count_of_its_listing() -> None:
    """KellerJordan/cifar10-airbench: widths 64, 256, 256; the whitening and all factors are fixed."""
    convolutions = 9 * (24 * 64 + 64 * 64 + 64 * 256 + 3 * 256 * 256)
    offsets = 24 + 2 * 64 + 4 * 256
    assert analyze(template("airbench94").network).parameters == convolutions + offsets + 256 * 10


def test_every_type_of_group_is_used_in_a_template() -> None:
    found = {node.layer.type_name() for each in templates().values() for node in each.network.walk()}
    assert {"Residual", "Repeat", "Parallel", "Block"} <= found
