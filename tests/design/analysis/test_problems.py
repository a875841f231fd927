"""Problems in words, and the fixes that solve them."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cnnstudio.design import edits
from cnnstudio.design.analysis.analysis import Analysis, analyze
from cnnstudio.design.findings import Problem
from cnnstudio.design.network import Network
from cnnstudio.design.quick_fixes import PreviewRow, fixed, preview
from cnnstudio.layers.base import Append, InsertBefore, SetParameters, Shape
from cnnstudio.layers.basic.activation import Activation
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.groups.block import Block
from cnnstudio.layers.groups.parallel import Parallel
from cnnstudio.layers.groups.repeat import Repeat
from cnnstudio.layers.groups.residual import Residual
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.layers.pooling.global_average_pooling2d import GlobalAveragePooling2D
from cnnstudio.layers.pooling.max_pooling2d import MaxPooling2D
from cnnstudio.layers.regularization.dropout import Dropout
from tests.design.builders import Item, network, off
from tests.strategies import networks

TRUNK = (Conv2D(32), MaxPooling2D(), Conv2D(64), MaxPooling2D())
HEAD = (Flatten(), Dense(10))
PROJECTION = Residual(shortcut="projection")


def sentences(value: Network, classes: int | None = 10) -> list[str]:
    return [problem.sentence for problem in analyze(value, classes=classes).problems]


def test_the_flatten_that_the_lesson_forgets_is_named_and_put_in() -> None:
    value = network(*TRUNK, Dense(64), Dense(10))
    (problem,) = analyze(value, classes=10).problems
    assert problem.sentence == (
        "Dense takes a flat vector, but gets 64 × 6 × 6 from MaxPooling2D: insert Flatten before it"
    )
    assert (problem.node_id, problem.fix) == ("dense_1", InsertBefore("Flatten"))
    after = fixed(value, problem)
    assert after == edits.insert(value, value.place("dense_1"), [after.node("flatten_1")])
    assert analyze(after, classes=10).problems == ()


@pytest.mark.parametrize(
    ("items", "sentence"),
    [
        (
            (Dense(10),),
            "Dense takes a flat vector, but gets 3 × 32 × 32 from the input: insert Flatten before it",
        ),
        (
            (*TRUNK, off(Dropout()), off((Repeat(), Flatten())), (Repeat(),), Dense(10)),
            "Dense takes a flat vector, but gets 64 × 6 × 6 from MaxPooling2D: insert Flatten before it",
        ),
        (
            (*TRUNK, (Residual(), off(Flatten()), Dropout(), (Repeat(), Dense(10)))),
            "Dense takes a flat vector, but gets 64 × 6 × 6 from Dropout: insert Flatten before it",
        ),
        (
            (*TRUNK, (Repeat(), Dense(10))),
            "Dense takes a flat vector, but gets 64 × 6 × 6 from MaxPooling2D: insert Flatten before it",
        ),
        (
            (*TRUNK, (PROJECTION, Conv2D(8)), Dense(10)),
            "Dense takes a flat vector, but gets 8 × 4 × 4 from Residual: insert Flatten before it",
        ),
        (
            (*HEAD, Conv2D()),
            "Conv2D takes an image (channels × height × width), but gets a flat vector of 10 from Dense; "
            "it belongs before the layer that flattens",
        ),
        (
            (Flatten(), GlobalAveragePooling2D(), Dense(10)),
            "GlobalAveragePooling2D takes an image (channels × height × width), but gets a flat vector of "
            "3072 from Flatten; it belongs before the layer that flattens",
        ),
        (
            (*TRUNK, Conv2D(8, (7, 5)), *HEAD),
            "Conv2D needs an image of at least 7 × 5, but gets 6 × 6 from MaxPooling2D: set padding to same",
        ),
        (
            (MaxPooling2D((2, 33)), *HEAD),
            "MaxPooling2D needs an image of at least 2 × 33, but gets 32 × 32 from the input: "
            "set padding to same",
        ),
        (
            ((Repeat(5), Conv2D(8), MaxPooling2D()), *HEAD),
            "Conv2D (in copy 4) needs an image of at least 3 × 3, but gets 2 × 2 from MaxPooling2D: "
            "set padding to same",
        ),
        (
            (Conv2D(8, groups=2), *HEAD),
            "Conv2D cannot split 3 channels from the input and 8 filters into 2 groups of the same size: "
            "set groups to 1",
        ),
        (
            ((Residual(), Conv2D(8)), *HEAD),
            "Residual cannot add its input of 3 × 32 × 32 from the input to the 8 × 30 × 30 that its layers "
            "make: set padding to same inside it",
        ),
        (
            ((Residual(), Conv2D(8, padding="same")), *HEAD),
            "Residual cannot add its input of 3 × 32 × 32 from the input to the 8 × 32 × 32 that its layers "
            "make: set shortcut to projection",
        ),
        (
            ((Residual(), Flatten(), Dense(10)),),
            "Residual cannot add its input of 3 × 32 × 32 from the input to the 10 that its layers make",
        ),
        (
            ((PROJECTION, Conv2D(8)), *HEAD),
            "Residual cannot project its input of 3 × 32 × 32 from the input to the 8 × 30 × 30 that its "
            "layers make, for only the channels and the stride can be changed: set padding to same inside it",
        ),
        (
            TRUNK,
            "The network ends with 64 × 6 × 6 from MaxPooling2D, but class scores are a flat vector: "
            "add Flatten and Dense at the end",
        ),
        ((Flatten(), Dense(7)), "Dense gives 7 scores, but the data has 10 classes: set units to 10"),
        (
            (Flatten(), Dense(64, activation="relu")),
            "Dense gives 64 scores, but the data has 10 classes: add Dense at the end",
        ),
        (
            (Flatten(), Dense(64), off(Dense(10)), BatchNormalization(), Activation("softmax")),
            "Activation gives 64 scores, but the data has 10 classes: set units to 10",
        ),
        (
            (Flatten(), (Repeat(), Dense(64))),
            "Repeat gives 64 scores, but the data has 10 classes: add Dense at the end",
        ),
        (
            (Conv2D(64), GlobalAveragePooling2D()),
            "GlobalAveragePooling2D gives 64 scores, but the data has 10 classes: add Dense at the end",
        ),
        (
            (Flatten(), Dense(1_048_576), *HEAD),
            "Dense would have 3,222,274,048 parameters, 12 GB of weights alone; "
            "at most 2,147,483,648 are possible",
        ),
        (
            (),
            "The network has no layers yet: drag some in from the palette, or open a template",
        ),
        (
            (off(Flatten()), (Repeat(),)),
            "The network has no layers yet: drag some in from the palette, or open a template",
        ),
    ],
)
def test_a_problem_is_one_plain_sentence_that_names_layers_and_shapes(
    items: list[Item], sentence: str
) -> None:
    assert sentence in sentences(network(*items))


def test_a_layer_is_called_by_the_name_that_the_user_gave_it() -> None:
    value = edits.replace(network(*TRUNK, Dense(10)), "max_pooling2d_2", name="pool {source}")
    value = edits.replace(value, "dense_1", name="scores")
    assert sentences(value) == [
        "scores takes a flat vector, but gets 64 × 6 × 6 from pool {source}: insert Flatten before it"
    ]


def test_each_layer_shows_its_first_problem_and_all_are_listed_from_the_top() -> None:
    analysis = analyze(network(Conv2D(8, groups=3), MaxPooling2D((99, 99)), *HEAD), classes=10)
    assert [problem.node_id for problem in analysis.problems] == ["conv2d_1", "max_pooling2d_1"]
    assert analysis["max_pooling2d_1"].problem == analysis.problems[1]
    assert analysis["flatten_1"].problem is None


def test_the_end_is_only_blamed_on_a_layer_without_a_problem_of_its_own() -> None:
    analysis = analyze(network(*TRUNK, Dense(64)), classes=10)
    assert [problem.message[:24] for problem in analysis.problems] == ["Dense takes a flat vecto"]


def test_how_many_classes_there_are_matters_only_where_it_is_known() -> None:
    assert sentences(network(Flatten(), Dense(7)), None) == []
    assert sentences(network(Flatten()), None) == []
    assert sentences(network(*TRUNK), None)[0].endswith("add Flatten and Dense at the end")


def test_a_network_without_weights_cannot_learn() -> None:
    value = network(Flatten(), input=(10, 1, 1))
    assert sentences(value) == ["The network has no weights that could learn: add Dense at the end"]
    assert sentences(fixed(value, analyze(value, classes=10).problems[0])) == []


def test_too_many_parameters_in_all_are_a_problem_of_the_whole_network() -> None:
    half = 1_048_576
    value = network(
        GlobalAveragePooling2D(), Dense(half), Dense(1100), Dense(half), Dense(10), input=(3, 8, 8)
    )
    (problem,) = analyze(value, classes=10).problems
    assert problem.node_id is None
    assert problem.message.startswith("The network would have 2,3")
    assert "parameters, 9 GB of weights alone" in problem.message


def test_copies_in_copies_in_copies_are_too_much_for_the_whole_network() -> None:
    body = Conv2D(3, padding="same")
    value = network((Repeat(1000), (Repeat(1000), (Repeat(1000), body))), *HEAD)
    analysis = analyze(value, classes=10)
    assert analysis.parameters == 84 * 10**9 + 30_730
    assert {problem.node_id for problem in analysis.problems} == {None}
    assert [problem.message[:23] for problem in analysis.problems] == ["The network would have "] * 2
    assert "1,001,001,003 layers, all copies counted; at most 20,000" in analysis.problems[0].message
    assert "84,000,030,730 parameters, 336 GB" in analysis.problems[1].message


def test_an_output_that_no_memory_holds_is_refused() -> None:
    value = network(Conv2D(65_536, padding="same"), input=(1, 1024, 1024))
    assert sentences(value)[0] == (
        "Conv2D would give 65536 × 1024 × 1024 numbers, 275 GB, for each image; "
        "at most 268,435,456 are possible"
    )


# Fixes


@pytest.mark.parametrize(
    ("items", "fix", "repaired"),
    [
        ((Conv2D(8, (40, 3)), *HEAD), "Set padding to same", (Conv2D(8, (40, 3), padding="same"), *HEAD)),
        (
            (MaxPooling2D((40, 3)), *HEAD),
            "Set padding to same",
            (MaxPooling2D((40, 3), padding="same"), *HEAD),
        ),
        ((Conv2D(8, groups=2), *HEAD), "Set groups to 1", (Conv2D(8), *HEAD)),
        (
            ((Residual(), Conv2D(8, padding="same")), *HEAD),
            "Set shortcut to projection",
            ((PROJECTION, Conv2D(8, padding="same")), *HEAD),
        ),
        (
            ((PROJECTION, Conv2D(8), (Repeat(), MaxPooling2D(strides=(1, 1)), off(MaxPooling2D()))), *HEAD),
            "Set padding to same inside it",
            (
                (
                    PROJECTION,
                    Conv2D(8, padding="same"),
                    (Repeat(), MaxPooling2D(strides=(1, 1), padding="same"), off(MaxPooling2D())),
                ),
                *HEAD,
            ),
        ),
        (TRUNK, "Add Flatten and Dense", (*TRUNK, *HEAD)),
        ((Flatten(), Dense(3, "softmax")), "Set units to 10", (Flatten(), Dense(10, "softmax"))),
        ((Flatten(), Dense(3, "relu")), "Add Dense", (Flatten(), Dense(3, "relu"), Dense(10))),
        (((Repeat(), Dense(10)),), "Insert Flatten", ((Repeat(), Flatten(), Dense(10)),)),
    ],
)
def test_a_fix_does_what_its_button_says(items: list[Item], fix: str, repaired: list[Item]) -> None:
    value = network(*items)
    (problem,) = analyze(value, classes=10).problems
    assert problem.fix is not None
    assert problem.fix.label == fix
    after = fixed(value, problem)
    assert [node.layer for node in after.walk()] == [node.layer for node in network(*repaired).walk()]
    assert analyze(after, classes=10).problems == ()


def test_a_problem_without_a_fix_says_so() -> None:
    value = network((Residual(), Flatten(), Dense(10)))
    (problem,) = analyze(value, classes=10).problems
    for hopeless in (problem, Problem(None, "?"), Problem("ghost_1", "?", (InsertBefore("Flatten"),))):
        with pytest.raises(edits.EditError, match="this problem has no fix"):
            fixed(value, hopeless)


def test_no_fix_is_offered_that_would_change_nothing() -> None:
    class Larger(Dropout):
        def output_shape(self, shape: Shape) -> Shape:
            return Shape.of(shape.channels, shape.height + 1, shape.width)

    (problem,) = analyze(
        network((PROJECTION, Conv2D(8, padding="same"), Larger()), *HEAD), classes=10
    ).problems
    assert problem.fix is None
    (problem,) = analyze(network((PROJECTION, Conv2D(8, (1, 1)), Larger()), *HEAD), classes=10).problems
    assert problem.fix is not None


def same_problem(problem: Problem, analysis: Analysis) -> bool:
    return problem in analysis.problems


@given(networks(), st.integers(2, 12))
def test_every_fix_solves_its_problem_and_fixing_comes_to_an_end(value: Network, classes: int) -> None:
    for _ in range(4 * len(value) + 4):
        analysis = analyze(value, classes=classes)
        problem = next((each for each in analysis.problems if each.fix), None)
        if problem is None:
            break
        for fix in problem.fixes:
            assert not same_problem(problem, analyze(fixed(value, problem, fix), classes=classes))
        value = fixed(value, problem)
    else:
        pytest.fail("fixing does not come to an end")


@given(
    st.lists(
        st.sampled_from([*TRUNK, Dense(64), Dense(64, "relu"), Dropout(), BatchNormalization()]), min_size=1
    )
)
def test_networks_of_the_common_layers_can_be_fixed_whole(items: list[Item]) -> None:
    value = network(*items)
    for _ in range(2 * len(items) + 4):
        problems = analyze(value, classes=10).problems
        if not problems or problems[0].fix is None:
            break
        value = fixed(value, problems[0])
    left = [problem.message for problem in problems]
    # Only a layer for images behind a Dense has to be moved by hand.
    assert all("it belongs before the layer that flattens" in message for message in left)


def test_the_words_of_fixes_fit_a_sentence_and_a_button() -> None:
    fixes = [
        InsertBefore("Flatten"),
        Append((("Dense", {}),)),
        SetParameters({"groups": 1}, "set groups to 1"),
    ]
    assert [fix.advice for fix in fixes] == [
        "insert Flatten before it",
        "add Dense at the end",
        "set groups to 1",
    ]
    assert [fix.label for fix in fixes] == ["Insert Flatten", "Add Dense", "Set groups to 1"]
    assert Shape.of(64, 6, 6).size == 2304


@pytest.mark.parametrize(
    ("items", "labels"),
    [
        ((*TRUNK, Dense(10)), ["Insert Flatten", "Insert GlobalAveragePooling2D"]),
        (TRUNK, ["Add Flatten and Dense", "Add GlobalAveragePooling2D and Dense"]),
        ((Conv2D(8, (40, 3)), *HEAD), ["Set padding to same", "Set kernel size to 32 × 3"]),
        (
            (Conv2D(8, (9, 9), dilation_rate=(5, 2)), *HEAD),
            ["Set padding to same", "Set kernel size to 7 × 9"],
        ),
        (
            (MaxPooling2D((16, 16)), MaxPooling2D((3, 2)), *HEAD),
            ["Set padding to same", "Set pool size to 2 × 2", "Remove it"],
        ),
        ((Conv2D(16), Conv2D(32, groups=3), *HEAD), ["Set groups to 2", "Set groups to 1"]),
        ((Conv2D(15), Conv2D(32, groups=3), *HEAD), ["Set groups to 1"]),
        (
            ((Parallel(), Conv2D(8), Conv2D(8, padding="same", strides=(2, 2))), *HEAD),
            ["Set padding to same inside it", "Set padding to same and strides to 1 inside it"],
        ),
        (
            ((Parallel("add"), Conv2D(8), Conv2D(9)), *HEAD),
            ["Set mode to concat"],
        ),
    ],
)
def test_a_problem_can_have_several_fixes(items: list[Item], labels: list[str]) -> None:
    value = network(*items)
    (problem,) = analyze(value, classes=10).problems
    assert [fix.label for fix in problem.fixes] == labels
    assert problem.fix == problem.fixes[0]
    for fix in problem.fixes:
        assert problem not in analyze(fixed(value, problem, fix), classes=10).problems


def test_a_problem_inside_a_branch_is_fixed_in_the_branch() -> None:
    value = network((Parallel(), Conv2D(8, (40, 40)), (Block(),)), *HEAD)
    (problem,) = analyze(value, classes=10).problems
    assert problem.node_id == "conv2d_1"
    assert " from the input" in problem.message
    assert analyze(fixed(value, problem), classes=10).problems == ()


def test_what_is_put_before_a_branch_makes_a_block_of_it() -> None:
    value = network((Parallel(), Dense(4), (Block(), Flatten())), Dense(10))
    (problem,) = analyze(value, classes=10).problems
    after = fixed(value, problem)
    first, second = after.nodes[0].children
    assert [child.layer for child in first.children] == [Flatten(), Dense(4)]
    assert (first.layer, second) == (Block(), value.nodes[0].children[1])
    assert analyze(after, classes=10).problems == ()


def test_the_last_dense_in_a_block_is_told_the_number_of_classes() -> None:
    value = network(Conv2D(8), (Block(), Flatten(), (Block(), Dense(7, "softmax")), (Block(),)))
    (problem,) = analyze(value, classes=10).problems
    assert (problem.node_id, problem.fix) == ("dense_1", SetParameters({"units": 10}, "set units to 10"))


@given(networks(), st.integers(2, 12))
def test_a_problem_says_why_it_matters_in_one_sentence(value: Network, classes: int) -> None:
    for problem in analyze(value, classes=classes).problems:
        assert problem.why.endswith(".")
        assert problem.why[0].isupper()
        assert problem.why.count(". ") == 0


# Previews


def test_a_preview_tells_shapes_and_costs_before_and_after() -> None:
    value = network(*TRUNK, Dense(64), Dense(10))
    analysis = analyze(value, classes=10)
    (problem,) = analysis.problems
    found = preview(value, problem, problem.fixes[1], analysis, 10)
    assert found.rows == (
        PreviewRow("global_average_pooling2d_1", "GlobalAveragePooling2D", None, Shape.of(64), "added"),
    )
    assert found.analysis == analyze(fixed(value, problem, problem.fixes[1]), classes=10)
    assert (found.problems_before, found.problems_after) == (1, 0)
    assert found.parameters_after - found.parameters_before == 64 * 64 + 64
    assert found.macs_after - found.macs_before == 64 * 64


def test_a_preview_lists_every_layer_whose_shape_changes_and_what_goes() -> None:
    value = network(Conv2D(8), MaxPooling2D((31, 31)), Conv2D(8, (1, 1)), *HEAD)
    (problem,) = analyze(value, classes=10).problems
    same, _, removed = problem.fixes
    assert [
        (row.title, str(row.before), str(row.after), row.status) for row in preview(value, problem, same).rows
    ] == [
        ("MaxPooling2D", "None", "8 × 1 × 1", "changed"),
        ("Conv2D", "None", "8 × 1 × 1", "changed"),
        ("Flatten", "None", "8", "changed"),
        ("Dense", "None", "10", "changed"),
    ]
    assert preview(value, problem, removed).rows[0] == PreviewRow(
        "max_pooling2d_1", "MaxPooling2D", None, None, "removed"
    )


@given(networks(), st.integers(2, 12))
def test_a_preview_is_what_the_fix_then_does(value: Network, classes: int) -> None:
    analysis = analyze(value, classes=classes)
    for problem in analysis.problems:
        for fix in problem.fixes:
            found = preview(value, problem, fix, analysis, classes)
            after = fixed(value, problem, fix)
            assert found.network == after
            assert found.analysis == analyze(after, classes=classes)
            shown = {row.node_id: row for row in found.rows}
            for node_id in {*(node.id for node in value.walk()), *(node.id for node in after.walk())}:
                outputs = [
                    each.by_id[node_id].output if node_id in each.by_id else "nothing"
                    for each in (analysis, found.analysis)
                ]
                assert (outputs[0] == outputs[1]) or node_id in shown
