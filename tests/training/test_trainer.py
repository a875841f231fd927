"""The training loop, by its events and the files that it leaves."""

from __future__ import annotations

import math
from itertools import count
from pathlib import Path

import pytest
import torch

from cnnstudio.design.edits import set_trainable
from cnnstudio.design.network import Network
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.training import metrics, step_hooks, train_step, trainer
from cnnstudio.training.checkpoints.manager import FEW_VALIDATION_IMAGES, all_finite
from cnnstudio.training.checkpoints.store import CheckpointStore, restore_weights
from cnnstudio.training.control import Control
from cnnstudio.training.evaluation import mean_scores
from cnnstudio.training.events import (
    EpochEnded,
    Event,
    Finished,
    Paused,
    Progress,
    Resumed,
    Scores,
    SnapshotTaken,
    Started,
    Warned,
)
from cnnstudio.training.model import Model, build_model
from cnnstudio.training.preflight.prepare import prepare
from cnnstudio.training.recipe.recipe import Recipe
from cnnstudio.training.trainer import train, train_prepared
from tests.training.images import colors
from tests.training.listeners import FakeProbe, Listener, stop_at
from tests.training.networks import network, tiny

RECIPE = Recipe("test", epochs=2, batch_size=16, learning_rate=0.01)
SMALL = Shape.of(3, 8, 8)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress and probes at every step, so that a test can act at a particular one."""
    monkeypatch.setattr(metrics, "INTERVAL", 0.0)
    monkeypatch.setattr(step_hooks, "_MAX_PROBE_SHARE", math.inf)


def test_a_small_network_learns_an_easy_task() -> None:
    finished = train(tiny(), colors(), RECIPE.replace(epochs=4), emit=Listener())
    assert finished.outcome == "completed"
    assert finished.test is not None
    assert finished.test.accuracy > 0.9


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
def test_every_optimizer_and_schedule_lowers_the_loss(optimizer: str, schedule: str) -> None:
    listener = Listener()
    recipe = RECIPE.replace(
        optimizer=optimizer, schedule=schedule, weight_decay=0.001, flip="random", shift=1
    )
    train(tiny(), colors(), recipe, emit=listener)
    assert listener.losses()[-1] < listener.losses()[0]


def test_started_comes_first_and_finished_last_each_exactly_once() -> None:
    listener = Listener()
    finished = train(tiny(), colors(), RECIPE, emit=listener)
    assert [type(listener.events[0]), type(listener.events[-1])] == [Started, Finished]
    assert listener.of(Finished) == [finished]
    (started,) = listener.of(Started)
    assert (started.steps_per_epoch, started.batch_size, started.train_images) == (6, 16, 96)
    assert (started.validation, started.validation_images, started.network_name) == ("test", 48, "Tiny")
    assert [event.epoch for event in listener.of(EpochEnded)] == [1, 2]


def test_progress_reports_every_step_once_and_in_order() -> None:
    listener = Listener()
    train(tiny(), colors(), RECIPE, emit=listener)
    reported = [
        event.first_step + offset for event in listener.of(Progress) for offset in range(len(event.losses))
    ]
    assert reported == list(range(1, 13))
    assert all(len(event.losses) == len(event.accuracies) for event in listener.of(Progress))
    assert all(event.step == event.first_step + len(event.losses) - 1 for event in listener.of(Progress))
    last = listener.of(Progress)[-1]
    assert (last.step, last.steps, last.epoch) == (12, 12, 2.0)


def test_an_epochs_score_is_the_mean_over_its_images() -> None:
    listener = Listener()
    # 96 images in batches of 40, 40 and 16.
    train(tiny(), colors(), RECIPE.replace(epochs=1, batch_size=40), emit=listener)
    (ended,) = listener.of(EpochEnded)
    first, second, third = listener.losses()
    assert ended.train.loss == pytest.approx((40 * first + 40 * second + 16 * third) / 96)


def test_label_smoothing_changes_the_training_but_not_the_reported_loss() -> None:
    plain, smooth = Listener(), Listener()
    train(tiny(), colors(), RECIPE.replace(epochs=1), emit=plain)
    train(tiny(), colors(), RECIPE.replace(epochs=1, label_smoothing=0.5), emit=smooth)
    assert smooth.losses()[0] == plain.losses()[0]
    assert smooth.losses()[1] != plain.losses()[1]


def test_the_seed_determines_the_run() -> None:
    runs = []
    for seed in (3, 3, 4):
        listener = Listener()
        train(tiny(dropout=True), colors(), RECIPE.replace(seed=seed, flip="random", shift=1), emit=listener)
        runs.append(listener.losses())
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_validation_uses_a_share_of_the_training_images() -> None:
    listener = Listener()
    train(tiny(), colors(), RECIPE.replace(validation_share=0.25), emit=listener)
    (started,) = listener.of(Started)
    assert (started.train_images, started.validation_images, started.validation) == (72, 24, "share")


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_the_test_scores_are_those_of_the_best_weights(share: float, tmp_path: Path) -> None:
    listener = Listener()
    # The high rate makes the scores go up and down.
    recipe = RECIPE.replace(epochs=4, validation_share=share, learning_rate=0.1)
    prepared = prepare(tiny(), colors(noise=150), recipe)
    finished = train_prepared(prepared, emit=listener, folder=tmp_path)
    ended = listener.of(EpochEnded)
    if len(prepared.validation) < FEW_VALIDATION_IMAGES:
        best = min(ended, key=lambda event: event.validation.loss)
    else:
        best = max(ended, key=lambda event: (event.validation.accuracy, -event.validation.loss))
    assert finished.best_epoch == best.epoch
    assert [event.epoch for event in ended if event.best][-1] == best.epoch
    model = build_model(prepared.network)
    restore_weights(model, CheckpointStore(tmp_path / "checkpoints").load("best").weights)
    model.set_normalization(prepared.mean, prepared.std)
    images, labels = model.normalize(prepared.test.images), torch.from_numpy(prepared.test.labels.copy())
    measured = mean_scores(model, [(images, labels)])
    assert measured is not None
    assert finished.test is not None
    assert finished.test.accuracy == measured.accuracy
    assert finished.test.loss == pytest.approx(measured.loss, rel=1e-5)


def test_a_last_batch_of_one_image_trains_with_batch_normalization() -> None:
    flat = network(Flatten(), Dense(8), BatchNormalization(), Dense(3), input=SMALL)
    finished = train(flat, colors(train=33), RECIPE, emit=Listener())
    assert finished.outcome == "completed"


def test_images_are_converted_to_the_size_and_channels_of_the_design() -> None:
    gray = network(Conv2D(4), Flatten(), Dense(3), input=Shape.of(1, 6, 5))
    assert train(gray, colors(), RECIPE, emit=Listener()).outcome == "completed"


def test_a_batch_size_above_the_number_of_images_is_reduced_with_a_warning() -> None:
    listener = Listener()
    train(tiny(), colors(), RECIPE.replace(batch_size=1000), emit=listener)
    (started,) = listener.of(Started)
    assert (started.batch_size, started.steps_per_epoch) == (96, 1)
    (warned,) = listener.of(Warned)
    assert "1,000 is larger than the 96 training images" in warned.message


# Stopping and pausing


def test_a_stop_before_the_first_batch_ends_at_once_without_a_checkpoint(tmp_path: Path) -> None:
    control, listener = Control(), Listener()
    control.request_stop()
    finished = train(tiny(), colors(), RECIPE, control=control, emit=listener, folder=tmp_path)
    assert [type(event) for event in listener.events] == [Started, Finished]
    assert (finished.outcome, finished.test, finished.best_epoch) == ("stopped", None, None)
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.usefixtures("eager")
def test_stop_ends_the_run_at_the_next_step() -> None:
    control = Control()
    listener = Listener(stop_at(control, step=4))
    finished = train(tiny(), colors(), RECIPE, control=control, emit=listener)
    assert (finished.outcome, finished.reason) == ("stopped", "Stopped in epoch 1 after batch 5 of 6.")
    assert listener.of(Progress)[-1].step == 5


@pytest.mark.usefixtures("eager")
def test_stop_keeps_the_best_weights(tmp_path: Path) -> None:
    control = Control()
    listener = Listener(stop_at(control, step=15))
    finished = train(
        tiny(), colors(), RECIPE.replace(epochs=9), control=control, emit=listener, folder=tmp_path
    )
    best = [event for event in listener.of(EpochEnded) if event.best][-1]
    assert finished.best_epoch == best.epoch
    assert finished.test == best.validation
    assert CheckpointStore(tmp_path / "checkpoints").load("best").info["epoch"] == best.epoch


@pytest.mark.usefixtures("eager")
def test_stop_in_the_first_epoch_saves_the_weights(tmp_path: Path) -> None:
    control = Control()
    train(tiny(), colors(), RECIPE, control=control, emit=Listener(stop_at(control, step=3)), folder=tmp_path)
    checkpoints = CheckpointStore(tmp_path / "checkpoints")
    restore_weights(build_model(tiny()), checkpoints.load("best").weights)
    assert checkpoints.load("last").info["batch"] >= 3


def test_a_stopped_run_skips_a_test_evaluation_that_takes_too_long(monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control()
    listener = Listener(stop_at(control, epoch=1))
    monkeypatch.setattr(trainer, "_TEST_SECONDS_AFTER_STOP", -1.0)
    recipe = RECIPE.replace(validation_share=0.25)
    finished = train(tiny(), colors(), recipe, control=control, emit=listener)
    assert (finished.outcome, finished.test, finished.best_epoch) == ("stopped", None, 1)


def test_stop_works_during_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    control, listener = Control(), Listener()

    def stop_first(*arguments: object) -> Scores | None:
        control.request_stop()
        return mean_scores(*arguments)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(trainer, "mean_scores", stop_first)
    finished = train(tiny(), colors(), RECIPE, control=control, emit=listener)
    assert finished.reason == "Stopped in epoch 1 after batch 6 of 6."
    assert not listener.of(EpochEnded)


@pytest.mark.usefixtures("eager")
def test_a_pause_does_not_change_the_result() -> None:
    control, plain = Control(), Listener()
    train(tiny(), colors(), RECIPE, emit=plain)

    def pause(event: Event) -> None:
        if isinstance(event, Progress) and event.step == 3:
            control.request_pause()

    def resume(model: Model) -> None:
        if control.pause.is_set() and listener.of(Paused):
            control.request_resume()

    listener = Listener(pause)
    finished = train(tiny(), colors(), RECIPE, control=control, emit=listener, probes=[FakeProbe(resume)])
    assert finished.outcome == "completed"
    (resumed,) = listener.of(Resumed)
    assert (listener.of(Paused), resumed.step) == ([Paused(4)], 4)
    assert resumed.seconds is not None
    assert listener.losses() == plain.losses()


@pytest.mark.usefixtures("eager")
def test_stop_ends_a_pause() -> None:
    control = Control()
    control.request_pause()
    listener = Listener(lambda event: control.request_stop() if isinstance(event, Paused) else None)
    finished = train(tiny(), colors(), RECIPE, control=control, emit=listener)
    assert [type(event) for event in listener.events] == [Started, Paused, Finished]
    assert finished.outcome == "stopped"


def test_the_stopwatch_stands_while_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = count(1.0, 1.0)
    monkeypatch.setattr(metrics.time, "perf_counter", lambda: next(clock))
    stopwatch = metrics.Stopwatch()
    stopwatch.pause()
    for _ in range(100):
        next(clock)
    assert stopwatch.resume() > 100
    assert stopwatch.seconds < 10


@pytest.mark.parametrize("moment", [Started, Progress, EpochEnded])
def test_an_interrupt_from_the_keyboard_is_a_stop(moment: type[Event]) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, moment):
            raise KeyboardInterrupt

    listener = Listener(interrupt)
    finished = train(tiny(), colors(), RECIPE, emit=listener)
    assert listener.of(Finished) == [finished]
    assert finished.outcome == "stopped"


def test_an_unexpected_error_passes_through_after_finished() -> None:
    def fail(event: Event) -> None:
        if isinstance(event, EpochEnded):
            raise ZeroDivisionError

    listener = Listener(fail)
    with pytest.raises(ZeroDivisionError):
        train(tiny(), colors(), RECIPE, emit=listener)
    assert [event.outcome for event in listener.of(Finished)] == ["failed"]


# Failures


def unstable() -> Network:
    return network(Conv2D(8), Conv2D(8), Flatten(), Dense(3), input=SMALL)


def test_a_nan_loss_ends_the_run_at_that_step(tmp_path: Path) -> None:
    listener = Listener()
    recipe = RECIPE.replace(optimizer="sgd", learning_rate=100, epochs=5)
    finished = train(unstable(), colors(), recipe, emit=listener, folder=tmp_path)
    assert finished.outcome == "failed"
    assert "The loss became NaN or infinite in epoch 1, batch" in finished.reason
    assert "try a learning rate below 100" in finished.reason
    assert all(math.isfinite(loss) for loss in listener.losses())
    assert f"(step {len(listener.losses()) + 1:,})" in finished.reason
    assert not (tmp_path / "checkpoints").exists()


def test_on_the_cpu_a_nan_loss_is_noticed_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([1.0, 1.0, math.nan])

    def broken(logits: torch.Tensor, labels: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
        return logits.sum() * 0 + next(losses)

    # Nothing is read from the steps until the epoch ends.
    monkeypatch.setattr(metrics, "INTERVAL", math.inf)
    monkeypatch.setattr(train_step.F, "cross_entropy", broken)
    finished = train(tiny(), colors(), RECIPE, emit=Listener())
    assert "batch 3 of 6 (step 3)" in finished.reason


def test_a_nan_loss_in_a_later_epoch_keeps_the_best_weights(tmp_path: Path) -> None:
    def break_weights(epoch: int, model: Model) -> None:
        if epoch == 2:
            with torch.no_grad():
                model.get_submodule("dense_1").bias[0] = math.nan

    listener = Listener()
    prepared = prepare(tiny(), colors(), RECIPE.replace(epochs=5))
    finished = train_prepared(prepared, emit=listener, folder=tmp_path, after_epoch=break_weights)
    assert (finished.outcome, len(listener.losses())) == ("failed", 12)
    assert finished.reason.startswith("The loss became NaN or infinite in epoch 3, batch 1 of 6 (step 13)")
    assert finished.test is not None
    assert finished.reason.endswith(f"The weights of epoch {finished.best_epoch} are saved.")
    for name in ("best", "last", "previous"):
        model = build_model(tiny())
        restore_weights(model, CheckpointStore(tmp_path / "checkpoints").load(name).weights)
        assert all_finite(model)


def test_weights_broken_by_the_last_step_of_an_epoch_are_not_saved(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its validation would look fine: relu turns minus infinity into 0.
    def broken_scores(model: Model, *rest: object) -> Scores:
        with torch.no_grad():
            model.get_submodule("conv2d_2").bias[0] = -math.inf
        return Scores(1.0, 0.5)

    monkeypatch.setattr(trainer, "mean_scores", broken_scores)
    finished = train(tiny(), colors(), RECIPE, emit=Listener(), folder=tmp_path)
    assert finished.outcome == "failed"
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf, 3e38])
@pytest.mark.parametrize(
    ("name", "counts"),
    [("dense_1.bias", True), ("batch_normalization_1.running_var", True), ("conv2d_1.weight", False)],
    ids=["a weight", "a statistic", "a locked weight"],
)
def test_weights_that_learn_and_statistics_have_to_be_finite(value: float, name: str, counts: bool) -> None:
    model = build_model(set_trainable(tiny(), ["conv2d_1"], False))
    model.state_dict()[name].view(-1)[0] = value
    assert all_finite(model) == (math.isfinite(value) or not counts)


def test_running_out_of_memory_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*arguments: object, **options: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(train_step.F, "cross_entropy", exhausted)
    finished = train(tiny(), colors(), RECIPE, emit=Listener())
    assert finished.outcome == "failed"
    assert finished.reason.startswith("Out of memory at step 1: use batches smaller than 16")


def test_a_checkpoint_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("in the way")
    listener = Listener()
    finished = train(tiny(), colors(), RECIPE, emit=listener, folder=tmp_path)
    assert (finished.outcome, finished.best_epoch is not None) == ("completed", True)
    assert len(listener.of(Warned)) == 1
    assert "could not be saved; training continues" in listener.of(Warned)[0].message


# The caller's own settings


def test_the_callers_random_numbers_and_threads_are_restored() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    threads = torch.get_num_threads()
    torch.manual_seed(7)
    seen: list[int] = []
    listener = Listener(lambda event: seen.append(torch.get_num_threads()))
    train(tiny(dropout=True), colors(), RECIPE, emit=listener, threads=1)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    assert set(seen) == {1}
    assert listener.of(Started)[0].threads == 1


# Probes


@pytest.mark.usefixtures("eager")
def test_a_probe_captures_the_model_between_steps_and_its_snapshots_are_emitted() -> None:
    probe, listener = FakeProbe(lambda model: model.training), Listener()
    train(tiny(), colors(), RECIPE, emit=listener, probes=[probe])
    assert probe.images is not None
    assert probe.images.shape == (32, 3, 8, 8)
    taken = listener.of(SnapshotTaken)
    assert [event.step for event in taken][:8] == [0, 1, 2, 3, 4, 5, 6, 6]
    assert {(event.kind, event.payload) for event in taken[1:6]} == {("fake", True)}


def test_probes_take_at_most_two_percent_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def tick() -> float:
        now[0] += 0.5
        return now[0]

    def slow(model: Model) -> str:
        now[0] += 1.0
        return "seen"

    monkeypatch.setattr(metrics.time, "perf_counter", tick)
    listener = Listener()
    train(tiny(), colors(), RECIPE.replace(epochs=10), emit=listener, probes=[FakeProbe(slow)])
    taken = len(listener.of(SnapshotTaken))
    assert taken >= 2
    assert (taken - 1) * 1.0 <= 0.02 * now[0]


def test_after_epoch_is_called_before_the_first_and_after_every_epoch() -> None:
    seen: list[int] = []
    prepared = prepare(tiny(), colors(), RECIPE)
    train_prepared(prepared, emit=Listener(), after_epoch=lambda epoch, model: seen.append(epoch))
    assert seen == [0, 1, 2]


def test_progress_has_the_gradient_norm_of_its_last_step(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(metrics, "INTERVAL", 0.0)
    listener = Listener()
    train(tiny(), colors(), RECIPE, emit=listener)
    norms = [event.gradient_norm for event in listener.of(Progress)]
    assert norms
    assert all(norm is not None and norm > 0 for norm in norms[:-1])
