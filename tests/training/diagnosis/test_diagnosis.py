"""Problems are recognized from the events, reported once, and have a remedy."""

from __future__ import annotations

import math
from collections.abc import Sequence

import pytest

from cnnstudio.layers.base import Layer
from cnnstudio.layers.basic.activation import Activation
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.training.diagnosis.diagnosis import Diagnosis
from cnnstudio.training.diagnosis.remedies import advice, remedy
from cnnstudio.training.events import (
    Diagnosed,
    DiagnosisKind,
    EpochEnded,
    Event,
    Finished,
    Progress,
    RecipeChanged,
    Recovered,
    Scores,
    Started,
    UnitsChecked,
    event_from_json,
)
from cnnstudio.training.recipe.built_in import LESSON
from cnnstudio.training.recipe.recipe import Recipe
from tests.training.networks import lesson, network

CHANCE = math.log(10)
STEPS = 40


def started() -> Started:
    names = tuple("abcdefghij")
    return Started(None, "Lesson", 1, "cpu", 1, 10, STEPS, 32, 1280, 200, names, "test")


def finished(cause: str | None = None) -> Finished:
    return Finished("failed" if cause else "completed", "Why.", None, 1.0, None, None, cause)  # type: ignore[arg-type]  # the tests' own


def progress(losses: Sequence[float], epoch: float, rate: float = 0.001) -> Progress:
    step = round(epoch * STEPS)
    accuracies = (0.1,) * len(losses)
    first = step - len(losses) + 1
    return Progress(step, 10 * STEPS, epoch, tuple(losses), accuracies, first, 1.0, rate, 1.0, None)


def epoch(
    number: int,
    train: float,
    validation: float,
    accuracy: float = 0.5,
    gap: float = 0.0,
    rate: float = 0.001,
    change: float | None = 0.004,
) -> EpochEnded:
    scores = Scores(train, accuracy), Scores(validation, accuracy - gap)
    return EpochEnded(number, *scores, 1.0, rate, 1.0, True, change)


def diagnosed(events: Sequence[Event], recipe: Recipe = LESSON) -> list[Diagnosed]:
    return [found for found in reported(events, recipe) if isinstance(found, Diagnosed)]


def reported(events: Sequence[Event], recipe: Recipe = LESSON) -> list[Diagnosed | Recovered]:
    diagnosis = Diagnosis(recipe, lesson())
    return [found for event in [started(), *events] for found in diagnosis.feed(event)]


def recovered(events: Sequence[Event]) -> list[tuple[DiagnosisKind, float]]:
    return [(found.kind, found.epoch) for found in reported(events) if isinstance(found, Recovered)]


def kinds(events: Sequence[Event], recipe: Recipe = LESSON) -> list[DiagnosisKind]:
    return [found.kind for found in diagnosed(events, recipe)]


def curve(train: Sequence[float], validation: Sequence[float], gap: float = 0.1) -> list[Event]:
    """Complete epochs with those losses."""
    found: list[Event] = []
    for number, (low, high) in enumerate(zip(train, validation, strict=True), start=1):
        found += [progress([low] * STEPS, number), epoch(number, low, high, gap=gap)]
    return [*found, finished()]


def test_a_healthy_run_has_no_diagnosis() -> None:
    falling = [2.2 * 0.8**number for number in range(10)]
    assert kinds(curve(falling, [loss + 0.1 for loss in falling])) == []


def test_overfitting_is_reported_once_with_its_beginning() -> None:
    train = [1.8, 1.4, 1.1, 0.9, 0.7, 0.5, 0.35, 0.25]
    validation = [1.7, 1.4, 1.2, 1.1, 1.15, 1.25, 1.4, 1.6]
    (found,) = diagnosed(curve(train, validation))
    assert found.kind == "overfitting"
    assert found.epoch == 6
    assert "since epoch 4 the validation loss has risen from 1.10 to 1.25" in found.message
    assert "Augment the training images" in found.advice


@pytest.mark.parametrize(
    ("train", "validation", "gap"),
    [
        ([1.0, 0.9, 0.8, 0.7], [1.0, 0.95, 0.97, 0.99], 0.1),
        ([1.0, 0.9, 0.9, 0.9], [1.0, 0.9, 1.0, 1.1], 0.1),
        ([1.0, 0.9, 0.8, 0.7], [1.0, 0.9, 1.0, 1.1], 0.0),
        ([1.0, 0.9, 0.8, 0.7], [1.0, 0.99, 0.9, 1.1], 0.1),
    ],
    ids=["hardly risen", "flat training loss", "no gap", "one bad epoch"],
)
def test_similar_curves_are_not_overfitting(train: list[float], validation: list[float], gap: float) -> None:
    assert kinds(curve(train, validation, gap)) == []


def test_a_plateau_is_reported_only_at_a_high_rate_with_epochs_left() -> None:
    losses = [2.0, 1.5, 1.2, 1.0, 1.0, 0.999, 1.0, 1.0]
    assert kinds(curve(losses, losses, gap=0)) == ["plateau"]
    low = [
        epoch(number, loss, loss, rate=0.0001 if number > 3 else 0.001)
        for number, loss in enumerate(losses, 1)
    ]
    assert kinds([*low, finished()]) == []
    assert kinds(curve(losses, losses, gap=0), LESSON.replace(epochs=8)) == []
    known = [epoch(number, loss, loss, accuracy=1.0) for number, loss in enumerate(losses, 1)]
    assert kinds([*known, finished()]) == []


def test_a_network_that_has_learned_nothing_is_not_on_a_plateau() -> None:
    """Recorded of a small network at a rate of 0.03: a cosine schedule left it at 12%."""
    stuck = [epoch(number, CHANCE, CHANCE, accuracy=0.12, change=0.1) for number in range(1, 9)]
    assert kinds([*stuck, finished()]) == []


def test_a_rising_loss_is_reported_within_the_first_epoch() -> None:
    losses = [2.3 * 1.1**step for step in range(STEPS - 1)]
    (found,) = diagnosed([progress(losses, 0.97)])
    assert found.kind == "rate_too_high"
    assert "from 2.30 to" in found.message
    assert "below 0.001" in found.advice


def test_a_loss_that_explodes_with_the_first_update_has_risen() -> None:
    """Recorded of a network with Adam at 0.3: only the first loss is that of the initial weights."""
    losses = [2.3, 27.6, 12.1, 19.6, 14.8] + [8.0] * (STEPS - 6)
    (found,) = diagnosed([progress(losses, 0.97)])
    assert found.kind == "rate_too_high"
    assert "from 2.30 to" in found.message


@pytest.mark.parametrize(("change", "expected"), [(1.46, ["rate_too_high"]), (0.9, []), (None, [])])
def test_weights_that_move_by_more_than_their_size_and_learn_nothing_have_a_rate_that_is_too_high(
    change: float | None, expected: list[DiagnosisKind]
) -> None:
    """Recorded of a network with SGD at 0.5: its loss stays at 2.33."""
    ended = epoch(1, 2.33, 2.33, 0.1, change=change)
    assert kinds([progress([2.33] * STEPS, 1.0), ended, finished()]) == expected
    learns = epoch(1, 2.0, 2.0, 0.3, change=change)
    assert kinds([progress([2.0] * STEPS, 1.0), learns, finished()]) == []


def test_a_start_far_above_chance_is_not_a_rising_loss() -> None:
    losses = [9.0 * 0.97**step for step in range(STEPS)]
    assert kinds([progress(losses, 1.0)]) == []


def test_stuck_after_spikes_means_too_high_and_without_spikes_too_low() -> None:
    spiked = [2.3] * 6 + [15.0, 6.0] + [CHANCE] * 32
    flat = [CHANCE] * STEPS
    slow = [2.32 - 0.0005 * step for step in range(STEPS)]
    ended = epoch(1, CHANCE, CHANCE, 0.1)
    assert kinds([progress(spiked, 1.0), ended, finished()]) == ["rate_too_high"]
    for losses in (flat, slow):
        (found,) = diagnosed([progress(losses, 1.0), ended, finished()])
        assert found.kind == "rate_too_low"
        assert "above 0.001" in found.advice


def test_a_rate_in_its_warm_up_is_not_too_low() -> None:
    studio = LESSON.replace(optimizer="sgd", learning_rate=0.05, schedule="one_cycle")
    steps = progress([CHANCE] * STEPS, 1.0)
    assert kinds([steps, epoch(1, CHANCE, CHANCE, 0.1, rate=0.02), finished()], studio) == []
    assert kinds([steps, epoch(1, CHANCE, CHANCE, 0.1, rate=0.05), finished()], studio) == ["rate_too_low"]


@pytest.mark.parametrize("changes", [(0.25,), (0.05, 0.004), (None, 0.004)])
def test_a_rate_is_not_too_low_if_the_weights_move_or_it_is_not_known(
    changes: Sequence[float | None],
) -> None:
    """A linear network and one that sees 4 pixels, at usual rates: they cannot learn more."""
    events: list[Event] = []
    for number, change in enumerate(changes, 1):
        events += [progress([CHANCE] * STEPS, number), epoch(number, CHANCE, CHANCE, 0.1, change=change)]
    assert kinds([*events, finished()]) == []


def test_weights_that_move_slowly_arrive_in_a_long_run() -> None:
    events = [progress([CHANCE] * STEPS, 1.0), epoch(1, CHANCE, CHANCE, 0.1, change=0.01), finished()]
    assert kinds(events, LESSON.replace(epochs=100)) == []
    (found,) = diagnosed(events, LESSON.replace(epochs=20))
    assert found.message.endswith(
        "and its weights hardly change (by 1.0% in this epoch): the learning rate is too low."
    )


def test_few_steps_give_no_diagnosis() -> None:
    assert kinds([progress([CHANCE] * 8, 1.0), epoch(1, CHANCE, CHANCE, 0.1), finished()]) == []


def test_a_dead_layer_is_named_and_silences_the_learning_rate_rules() -> None:
    units = UnitsChecked(1, ("conv2d_1", "conv2d_2", "dense_1"), (3, 40, 128), (32, 64, 128))
    (found,) = diagnosed([progress([CHANCE] * STEPS, 1.0), epoch(1, CHANCE, CHANCE, 0.1), units, finished()])
    assert found.kind == "dead_units"
    assert found.message.startswith(f"62.5% of the 64 units of {lesson().node('conv2d_2').title} are dead")
    whole = UnitsChecked(1, ("conv2d_1",), (32,), (32,))
    assert diagnosed([whole])[0].message.startswith("All of the 32 units")


def test_normalization_is_advised_against_dead_units_only_where_layers_have_none() -> None:
    def advised(*layers: Layer) -> str:
        units = UnitsChecked(1, ("conv2d_1",), (20,), (32,))
        (found,) = Diagnosis(LESSON, network(*layers)).feed(units)
        assert isinstance(found, Diagnosed)
        return found.advice

    conv, norm, last = Conv2D(filters=32), BatchNormalization(), (Flatten(), Dense(units=10))
    assert "BatchNormalization" in advised(conv, Activation(), *last)
    assert "BatchNormalization" in advised(conv, norm, Activation(), conv, Activation(), *last)
    everywhere = advised(conv, norm, Activation(), conv, norm, Activation(), *last)
    assert everywhere == "Try a learning rate below 0.001, or leaky_relu instead of relu."


def test_inactive_units_before_training_or_in_small_layers_are_not_reported() -> None:
    assert kinds([UnitsChecked(0, ("conv2d_1",), (32,), (32,))]) == []
    assert kinds([UnitsChecked(1, ("conv2d_1", "gone"), (16, 3), (32, 3))]) == []


def test_inactive_units_of_a_flat_layer_are_not_reported() -> None:
    # Counts from the lesson's network while it learns well: loss 1.29 after two epochs, 0.48 after four.
    assert kinds([UnitsChecked(1, ("dense_1",), (66,), (128,))]) == []
    assert kinds([UnitsChecked(1, ("dense_1",), (100,), (128,))]) == []
    assert kinds([UnitsChecked(1, ("dense_1",), (127,), (128,))]) == ["dead_units"]


def test_recorded_overfitting_is_reported_at_its_epoch() -> None:
    """Recorded losses of 14 epochs of the lesson's network on 300 of the built-in shapes."""
    train = (2.32, 2.20, 2.03, 1.79, 1.54, 1.34, 1.13, 0.98, 0.80, 0.62, 0.51, 0.41, 0.29, 0.23)
    validation = (2.32, 2.30, 2.22, 2.12, 2.18, 1.99, 2.00, 1.88, 1.81, 2.00, 1.92, 1.96, 2.01, 2.08)
    right = (0.09, 0.23, 0.35, 0.43, 0.49, 0.55, 0.64, 0.68, 0.76, 0.83, 0.86, 0.89, 0.96, 0.95)
    gaps = (-0.03, 0.09, 0.16, 0.21, 0.26, 0.23, 0.34, 0.34, 0.40, 0.48, 0.48, 0.51, 0.56, 0.54)
    events: list[Event] = []
    for number, scores in enumerate(zip(train, validation, right, gaps, strict=True), start=1):
        events += [epoch(number, *scores), UnitsChecked(number, ("dense_1",), (66,), (128,))]
    (found,) = diagnosed(events)
    assert (found.kind, found.epoch) == ("overfitting", 11)


def test_a_falling_schedule_has_no_plateau_where_a_constant_rate_has() -> None:
    """Recorded losses of 16 epochs of a small network at 0.02, once constant and once falling."""
    validation = (
        2.17,
        1.96,
        1.92,
        1.90,
        1.89,
        1.89,
        1.90,
        1.92,
        1.88,
        1.86,
        1.85,
        1.89,
        1.87,
        1.84,
        1.85,
        1.85,
    )
    train = (2.26, 1.97, 1.85, 1.78, 1.75, 1.72, 1.71, 1.73, 1.69, 1.68, 1.67, 1.68, 1.68, 1.66, 1.67, 1.66)
    constant = [
        epoch(number, *losses) for number, losses in enumerate(zip(train, validation, strict=True), 1)
    ]
    recipe = LESSON.replace(epochs=20)
    assert [each.epoch for each in diagnosed([*constant, finished()], recipe)] == [16]
    validation = (
        2.17,
        1.96,
        1.91,
        1.89,
        1.89,
        1.87,
        1.84,
        1.84,
        1.83,
        1.83,
        1.82,
        1.82,
        1.81,
        1.81,
        1.81,
        1.81,
    )
    train = (2.26, 1.97, 1.85, 1.77, 1.74, 1.71, 1.69, 1.69, 1.66, 1.64, 1.63, 1.62, 1.61, 1.60, 1.59, 1.59)
    falling = [
        epoch(number, *losses, rate=0.0005 * (1 + math.cos(math.pi * number / 16)))
        for number, losses in enumerate(zip(train, validation, strict=True), 1)
    ]
    assert kinds([*falling, finished()], LESSON.replace(epochs=20, schedule="cosine")) == []


@pytest.mark.parametrize(("cause", "kind"), [("not_finite", "diverged"), ("memory", "memory")])
def test_the_cause_of_a_failure_is_reported_before_the_last_event(cause: str, kind: DiagnosisKind) -> None:
    diagnosis = Diagnosis(LESSON, lesson())
    events = diagnosis.with_diagnoses(finished(cause))
    assert isinstance(events[0], Diagnosed)
    assert events[0].kind == kind
    assert events[-1] == finished(cause)
    assert event_from_json(events[0].to_json()) == events[0]


def test_everything_is_judged_anew_after_a_change_by_the_user() -> None:
    train, validation = [1.0, 0.8, 0.6, 0.5, 0.4], [1.0, 0.9, 1.0, 1.1, 1.2]
    over = curve(train, validation)[:-1]
    changed = RecipeChanged(200, 5.0, "learning_rate", "0.001", "0.0002")
    assert kinds([*over, progress([0.4], 5.1)]) == ["overfitting"]
    assert kinds([*over, progress([0.4], 5.1), changed, *over, progress([0.4], 9)]) == ["overfitting"] * 2
    longer = RecipeChanged(200, 5.0, "epochs", "10", "20")
    assert kinds([*over, progress([0.4], 5.1), longer, *over, progress([0.4], 9)]) == ["overfitting"]
    losses = [2.3 * 1.1**step for step in range(STEPS - 1)]
    assert "below 0.0002" in diagnosed([changed, progress(losses, 0.97)])[0].advice


REMEDIES: list[tuple[DiagnosisKind, Recipe, dict[str, object]]] = [
    ("diverged", LESSON.replace(learning_rate=5.0), {"learning_rate": 0.001}),
    ("diverged", LESSON.replace(optimizer="sgd", learning_rate=5.0), {"learning_rate": 0.01}),
    ("diverged", LESSON.replace(optimizer="sgd", learning_rate=0.02), {"learning_rate": 0.002}),
    ("rate_too_high", LESSON, {"learning_rate": 0.0001}),
    ("rate_too_low", LESSON, {"learning_rate": 0.01}),
    ("dead_units", LESSON.replace(learning_rate=0.03), {"learning_rate": 0.003}),
    ("memory", LESSON.replace(accumulate=4), {"accumulate": 8}),
    ("overfitting", LESSON, {"flip": "random", "shift": 2, "epochs": 20}),
    ("overfitting", LESSON.replace(flip="alternating"), {"flip": "alternating", "shift": 2, "epochs": 20}),
    ("overfitting", LESSON.replace(flip="random", shift=4), {"average_decay": 0.99}),
]


@pytest.mark.parametrize(("kind", "recipe", "fields"), REMEDIES)
def test_each_problem_has_a_remedy(kind: DiagnosisKind, recipe: Recipe, fields: dict[str, object]) -> None:
    found = remedy(kind, recipe, lesson())
    assert found is not None
    assert found.apply_to(recipe) == recipe.replace(**fields, name="custom")
    assert found.label
    assert advice(kind, recipe, lesson()).endswith(".")


def test_dropout_is_offered_after_augmentation_and_averages() -> None:
    recipe = LESSON.replace(flip="random", shift=2, average_decay=0.999, name="custom")
    found = remedy("overfitting", recipe, lesson())
    assert found is not None
    assert found.label == "Add Dropout"
    assert found.network is not None
    before = [node.id for node in lesson().nodes]
    assert [node.id for node in found.network.nodes] == [*before[:-1], "dropout_1", before[-1]]
    assert remedy("overfitting", recipe, found.network) is None


def test_more_filters_are_offered_against_a_plateau() -> None:
    found = remedy("plateau", LESSON, lesson())
    assert found is not None
    assert (found.label, found.fields) == ("Double the filters", {})
    assert found.network is not None
    before, after = (
        [node.layer.filters for node in each.nodes if isinstance(node.layer, Conv2D)]
        for each in (lesson(), found.network)
    )
    assert before
    assert after == [2 * filters for filters in before]


def test_there_is_no_remedy_if_nothing_is_left_to_try() -> None:
    assert remedy("memory", LESSON.replace(batch_size=8, accumulate=8), lesson()) is None
    assert remedy("rate_too_low", LESSON.replace(learning_rate=50.0), lesson()) is None
    split = LESSON.replace(batch_size=8, accumulate=8)
    assert advice("memory", split, lesson()).startswith("Use fewer filters")


# Recovery


def test_a_rate_too_low_is_withdrawn_when_the_run_learns() -> None:
    flat, learns = [CHANCE] * 2, [1.5, 1.2]
    run = curve([*flat, *learns], [*flat, *learns], gap=0)
    assert [found.kind for found in diagnosed(run)] == ["rate_too_low"]
    assert recovered(run) == [("rate_too_low", 3.0)]
    assert recovered(curve(flat, flat, gap=0)) == []


def test_a_rate_too_high_is_not_withdrawn_by_the_mean_of_the_same_epoch() -> None:
    run = [
        *(progress([2.0] * 20, 0.5), progress([9.0] * 20, 1.0), epoch(1, 2.0, 2.0)),
        *(progress([8.0] * STEPS, 2.0), epoch(2, 8.0, 8.0)),
        *(progress([1.0] * STEPS, 3.0), epoch(3, 1.0, 1.0), finished()),
    ]
    assert [found.kind for found in diagnosed(run)] == ["rate_too_high"]
    assert recovered(run) == [("rate_too_high", 3.0)]


def test_overfitting_is_withdrawn_by_a_new_best_epoch() -> None:
    train = [1.8, 1.4, 1.1, 0.9, 0.7, 0.5, 0.45]
    validation = [1.7, 1.4, 1.2, 1.1, 1.15, 1.25, 1.0]
    assert recovered(curve(train, validation)) == [("overfitting", 7.0)]


def test_a_plateau_is_withdrawn_by_a_better_epoch() -> None:
    losses = [2.0, 1.5, 1.2, 1.0, 1.0, 0.999, 1.0, 1.0, 0.9]
    assert recovered(curve(losses, losses, gap=0)) == [("plateau", 9.0)]


def test_dead_units_are_withdrawn_when_they_are_active_again() -> None:
    dead = UnitsChecked(1, ("conv2d_1",), (20,), (32,))
    alive = UnitsChecked(2, ("conv2d_1",), (3,), (32,))
    assert [found.kind for found in reported([dead, dead, alive, alive])] == ["dead_units", "dead_units"]
    assert recovered([dead, alive]) == [("dead_units", 2.0)]


def test_recoveries_survive_a_json_round_trip() -> None:
    event = Recovered("plateau", 9.0)
    assert event_from_json(event.to_json()) == event
