"""The training loop, by what it says and what it leaves behind."""

from __future__ import annotations

import math
from itertools import count
from pathlib import Path

import pytest
import torch

from cnnstudio.design.network import Network
from cnnstudio.layers.base import Shape
from cnnstudio.layers.basic.dense import Dense
from cnnstudio.layers.basic.flatten import Flatten
from cnnstudio.layers.convolutional.conv2d import Conv2D
from cnnstudio.layers.normalization.batch_normalization import BatchNormalization
from cnnstudio.training import metrics, step_hooks, train_step, trainer
from cnnstudio.training.checkpoints.manager import all_finite
from cnnstudio.training.checkpoints.store import Checkpoints, restore_weights
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
from tests.training.listeners import Listener, Look, stop_at
from tests.training.networks import network, tiny

RECIPE = Recipe("test", epochs=2, batch_size=16, learning_rate=0.01)
SMALL = Shape.of(3, 8, 8)


@pytest.fixture
def eager(monkeypatch: pytest.MonkeyPatch) -> None:
    """Progress and probes at every step, so that a test can act at a certain one."""
    monkeypatch.setattr(metrics, "INTERVAL", 0.0)
    monkeypatch.setattr(step_hooks, "_PROBE_SHARE", math.inf)


def test_it_learns_what_can_be_learned() -> None:
    finished = train(tiny(), colors(), RECIPE.replace(epochs=4), emit=Listener())
    assert finished.outcome == "completed"
    assert finished.test is not None
    assert finished.test.accuracy > 0.9


@pytest.mark.parametrize("optimizer", ["sgd", "adam", "adamw"])
@pytest.mark.parametrize("schedule", ["constant", "cosine", "one_cycle"])
def test_every_optimizer_and_schedule_lowers_the_loss(optimizer: str, schedule: str) -> None:
    heard = Listener()
    recipe = RECIPE.replace(
        optimizer=optimizer, schedule=schedule, weight_decay=0.001, flip="random", shift=1
    )
    train(tiny(), colors(), recipe, emit=heard)
    assert heard.losses()[-1] < heard.losses()[0]


def test_a_run_says_started_first_and_finished_last_and_each_once() -> None:
    heard = Listener()
    finished = train(tiny(), colors(), RECIPE, emit=heard)
    assert [type(heard.events[0]), type(heard.events[-1])] == [Started, Finished]
    assert heard.of(Finished) == [finished]
    (started,) = heard.of(Started)
    assert (started.steps_per_epoch, started.batch_size, started.train_images) == (6, 16, 96)
    assert (started.validation, started.validation_images, started.network_name) == ("test", 48, "Tiny")
    assert [event.epoch for event in heard.of(EpochEnded)] == [1, 2]


def test_progress_tells_of_every_step_once_and_in_order() -> None:
    heard = Listener()
    train(tiny(), colors(), RECIPE, emit=heard)
    told = [event.first_step + offset for event in heard.of(Progress) for offset in range(len(event.losses))]
    assert told == list(range(1, 13))
    assert all(len(event.losses) == len(event.accuracies) for event in heard.of(Progress))
    assert all(event.step == event.first_step + len(event.losses) - 1 for event in heard.of(Progress))
    last = heard.of(Progress)[-1]
    assert (last.step, last.steps, last.epoch) == (12, 12, 2.0)


def test_the_epochs_score_is_the_mean_over_its_images() -> None:
    heard = Listener()
    # 96 images in batches of 40, 40 and 16.
    train(tiny(), colors(), RECIPE.replace(epochs=1, batch_size=40), emit=heard)
    (ended,) = heard.of(EpochEnded)
    first, second, third = heard.losses()
    assert ended.train.loss == pytest.approx((40 * first + 40 * second + 16 * third) / 96)


def test_smoothing_changes_what_is_learned_and_not_what_is_shown() -> None:
    plain, smooth = Listener(), Listener()
    train(tiny(), colors(), RECIPE.replace(epochs=1), emit=plain)
    train(tiny(), colors(), RECIPE.replace(epochs=1, label_smoothing=0.5), emit=smooth)
    assert smooth.losses()[0] == plain.losses()[0]
    assert smooth.losses()[1] != plain.losses()[1]


def test_the_same_seed_gives_the_same_run_and_another_seed_another() -> None:
    runs = []
    for seed in (3, 3, 4):
        heard = Listener()
        train(tiny(dropout=True), colors(), RECIPE.replace(seed=seed, flip="random", shift=1), emit=heard)
        runs.append(heard.losses())
    assert runs[0] == runs[1]
    assert runs[0] != runs[2]


def test_validation_takes_a_share_of_the_training_images() -> None:
    heard = Listener()
    train(tiny(), colors(), RECIPE.replace(validation_share=0.25), emit=heard)
    (started,) = heard.of(Started)
    assert (started.train_images, started.validation_images, started.validation) == (72, 24, "share")


@pytest.mark.parametrize("share", [0.0, 0.25])
def test_the_test_scores_are_those_of_the_best_weights(share: float, tmp_path: Path) -> None:
    heard = Listener()
    # The high rate makes the scores go up and down.
    recipe = RECIPE.replace(epochs=4, validation_share=share, learning_rate=0.1)
    prepared = prepare(tiny(), colors(noise=150), recipe)
    finished = train_prepared(prepared, emit=heard, folder=tmp_path)
    ended = heard.of(EpochEnded)
    best = max(ended, key=lambda event: (event.validation.accuracy, -event.validation.loss))
    assert finished.best_epoch == best.epoch
    assert [event.epoch for event in ended if event.best][-1] == best.epoch
    model = build_model(prepared.network)
    restore_weights(model, Checkpoints(tmp_path / "checkpoints").load("best").weights)
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


def test_images_of_another_size_and_color_are_fitted_to_the_design() -> None:
    gray = network(Conv2D(4), Flatten(), Dense(3), input=Shape.of(1, 6, 5))
    assert train(gray, colors(), RECIPE, emit=Listener()).outcome == "completed"


def test_a_batch_larger_than_the_set_is_made_smaller_and_said_so() -> None:
    heard = Listener()
    train(tiny(), colors(), RECIPE.replace(batch_size=1000), emit=heard)
    (started,) = heard.of(Started)
    assert (started.batch_size, started.steps_per_epoch) == (96, 1)
    (warned,) = heard.of(Warned)
    assert "1,000 is more than the 96 training images" in warned.message


# Stopping and pausing


def test_stopping_before_the_first_batch_ends_at_once_and_leaves_no_checkpoint(tmp_path: Path) -> None:
    control, heard = Control(), Listener()
    control.request_stop()
    finished = train(tiny(), colors(), RECIPE, control=control, emit=heard, folder=tmp_path)
    assert [type(event) for event in heard.events] == [Started, Finished]
    assert (finished.outcome, finished.test, finished.best_epoch) == ("stopped", None, None)
    assert not (tmp_path / "checkpoints").exists()


@pytest.mark.usefixtures("eager")
def test_stop_ends_the_run_at_the_next_step() -> None:
    control = Control()
    heard = Listener(stop_at(control, step=4))
    finished = train(tiny(), colors(), RECIPE, control=control, emit=heard)
    assert (finished.outcome, finished.reason) == ("stopped", "Stopped in epoch 1 after batch 5 of 6.")
    assert heard.of(Progress)[-1].step == 5


@pytest.mark.usefixtures("eager")
def test_stop_keeps_the_best_weights(tmp_path: Path) -> None:
    control = Control()
    heard = Listener(stop_at(control, step=15))
    finished = train(tiny(), colors(), RECIPE.replace(epochs=9), control=control, emit=heard, folder=tmp_path)
    best = [event for event in heard.of(EpochEnded) if event.best][-1]
    assert finished.best_epoch == best.epoch
    assert finished.test == best.validation
    assert Checkpoints(tmp_path / "checkpoints").load("best").info["epoch"] == best.epoch


@pytest.mark.usefixtures("eager")
def test_stop_in_the_first_epoch_keeps_what_was_learned(tmp_path: Path) -> None:
    control = Control()
    train(tiny(), colors(), RECIPE, control=control, emit=Listener(stop_at(control, step=3)), folder=tmp_path)
    checkpoints = Checkpoints(tmp_path / "checkpoints")
    restore_weights(build_model(tiny()), checkpoints.load("best").weights)
    assert checkpoints.load("last").info["batch"] >= 3


def test_a_stopped_run_does_not_start_a_test_that_takes_long(monkeypatch: pytest.MonkeyPatch) -> None:
    control = Control()
    heard = Listener(stop_at(control, epoch=1))
    monkeypatch.setattr(trainer, "_LAST_LOOK", -1.0)
    recipe = RECIPE.replace(validation_share=0.25)
    finished = train(tiny(), colors(), recipe, control=control, emit=heard)
    assert (finished.outcome, finished.test, finished.best_epoch) == ("stopped", None, 1)


def test_stop_is_heard_during_validation(monkeypatch: pytest.MonkeyPatch) -> None:
    control, heard = Control(), Listener()

    def stop_first(*arguments: object) -> Scores | None:
        control.request_stop()
        return mean_scores(*arguments)  # type: ignore[arg-type]  # passed through

    monkeypatch.setattr(trainer, "mean_scores", stop_first)
    finished = train(tiny(), colors(), RECIPE, control=control, emit=heard)
    assert finished.reason == "Stopped in epoch 1 after batch 6 of 6."
    assert not heard.of(EpochEnded)


@pytest.mark.usefixtures("eager")
def test_a_paused_run_waits_and_then_goes_on_as_if_nothing_had_been() -> None:
    control, plain = Control(), Listener()
    train(tiny(), colors(), RECIPE, emit=plain)

    def pause(event: Event) -> None:
        if isinstance(event, Progress) and event.step == 3:
            control.request_pause()

    def resume(model: Model) -> None:
        if control.pause.is_set() and heard.of(Paused):
            control.request_resume()

    heard = Listener(pause)
    finished = train(tiny(), colors(), RECIPE, control=control, emit=heard, probes=[Look(resume)])
    assert finished.outcome == "completed"
    assert (heard.of(Paused), heard.of(Resumed)) == ([Paused(4)], [Resumed(4)])
    assert heard.losses() == plain.losses()


@pytest.mark.usefixtures("eager")
def test_stop_ends_a_pause() -> None:
    control = Control()
    control.request_pause()
    heard = Listener(lambda event: control.request_stop() if isinstance(event, Paused) else None)
    finished = train(tiny(), colors(), RECIPE, control=control, emit=heard)
    assert [type(event) for event in heard.events] == [Started, Paused, Finished]
    assert finished.outcome == "stopped"


def test_time_does_not_run_while_paused(monkeypatch: pytest.MonkeyPatch) -> None:
    clock = count(1.0, 1.0)
    monkeypatch.setattr(metrics.time, "perf_counter", lambda: next(clock))
    watch = metrics.Stopwatch()
    watch.pause()
    for _ in range(100):
        next(clock)
    watch.resume()
    assert watch.seconds < 10


@pytest.mark.parametrize("moment", [Started, Progress, EpochEnded])
def test_an_interrupt_from_the_keyboard_is_a_stop(moment: type[Event]) -> None:
    def interrupt(event: Event) -> None:
        if isinstance(event, moment):
            raise KeyboardInterrupt

    heard = Listener(interrupt)
    finished = train(tiny(), colors(), RECIPE, emit=heard)
    assert heard.of(Finished) == [finished]
    assert finished.outcome == "stopped"


def test_an_error_in_the_program_is_not_hidden_and_still_ends_with_finished() -> None:
    def fail(event: Event) -> None:
        if isinstance(event, EpochEnded):
            raise ZeroDivisionError

    heard = Listener(fail)
    with pytest.raises(ZeroDivisionError):
        train(tiny(), colors(), RECIPE, emit=heard)
    assert [event.outcome for event in heard.of(Finished)] == ["failed"]


# What goes wrong


def unstable() -> Network:
    return network(Conv2D(8), Conv2D(8), Flatten(), Dense(3), input=SMALL)


def test_a_loss_that_is_no_number_stops_the_run_at_that_step(tmp_path: Path) -> None:
    heard = Listener()
    recipe = RECIPE.replace(optimizer="sgd", learning_rate=100, epochs=5)
    finished = train(unstable(), colors(), recipe, emit=heard, folder=tmp_path)
    assert finished.outcome == "failed"
    assert "The loss is no number any more in epoch 1, batch" in finished.reason
    assert "try a learning rate lower than 100" in finished.reason
    assert all(math.isfinite(loss) for loss in heard.losses())
    assert f"(step {len(heard.losses()) + 1:,})" in finished.reason
    assert not (tmp_path / "checkpoints").exists()


def test_on_the_cpu_not_one_more_step_is_made(monkeypatch: pytest.MonkeyPatch) -> None:
    losses = iter([1.0, 1.0, math.nan])

    def spoilt(logits: torch.Tensor, labels: torch.Tensor, label_smoothing: float = 0.0) -> torch.Tensor:
        return logits.sum() * 0 + next(losses)

    # Nothing is read from the steps until the epoch ends.
    monkeypatch.setattr(metrics, "INTERVAL", math.inf)
    monkeypatch.setattr(train_step.F, "cross_entropy", spoilt)
    finished = train(tiny(), colors(), RECIPE, emit=Listener())
    assert "batch 3 of 6 (step 3)" in finished.reason


def test_a_loss_that_is_no_number_later_leaves_the_best_weights(tmp_path: Path) -> None:
    def spoil(epoch: int, model: Model) -> None:
        if epoch == 2:
            with torch.no_grad():
                model.get_submodule("dense_1").bias[0] = math.nan

    heard = Listener()
    prepared = prepare(tiny(), colors(), RECIPE.replace(epochs=5))
    finished = train_prepared(prepared, emit=heard, folder=tmp_path, after_epoch=spoil)
    assert (finished.outcome, len(heard.losses())) == ("failed", 12)
    assert finished.reason.startswith("The loss is no number any more in epoch 3, batch 1 of 6 (step 13)")
    assert finished.test is not None
    assert finished.reason.endswith(f"The weights of epoch {finished.best_epoch} are kept.")
    for name in ("best", "last", "previous"):
        model = build_model(tiny())
        restore_weights(model, Checkpoints(tmp_path / "checkpoints").load(name).weights)
        assert all_finite(model)


def test_weights_spoilt_by_the_last_step_of_an_epoch_reach_no_checkpoint(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Its validation would look fine: relu turns minus infinity into 0.
    def spoilt_scores(model: Model, *rest: object) -> Scores:
        with torch.no_grad():
            model.get_submodule("conv2d_2").bias[0] = -math.inf
        return Scores(1.0, 0.5)

    monkeypatch.setattr(trainer, "mean_scores", spoilt_scores)
    finished = train(tiny(), colors(), RECIPE, emit=Listener(), folder=tmp_path)
    assert finished.outcome == "failed"
    assert not (tmp_path / "checkpoints").exists()


def test_memory_that_runs_out_is_one_sentence(monkeypatch: pytest.MonkeyPatch) -> None:
    def exhausted(*arguments: object, **options: object) -> None:
        raise RuntimeError("[enforce fail] DefaultCPUAllocator: can't allocate memory")

    monkeypatch.setattr(train_step.F, "cross_entropy", exhausted)
    finished = train(tiny(), colors(), RECIPE, emit=Listener())
    assert finished.outcome == "failed"
    assert finished.reason.startswith("The memory ran out at step 1: take smaller batches than 16")


def test_a_checkpoint_that_cannot_be_written_is_a_warning(tmp_path: Path) -> None:
    (tmp_path / "checkpoints").write_text("in the way")
    heard = Listener()
    finished = train(tiny(), colors(), RECIPE, emit=heard, folder=tmp_path)
    assert (finished.outcome, finished.best_epoch is not None) == ("completed", True)
    assert len(heard.of(Warned)) == 1
    assert "could not be saved; the run goes on" in heard.of(Warned)[0].message


# The caller's own settings


def test_the_callers_random_numbers_and_threads_are_left_alone() -> None:
    torch.manual_seed(7)
    expected = torch.rand(3)
    threads = torch.get_num_threads()
    torch.manual_seed(7)
    seen: list[int] = []
    heard = Listener(lambda event: seen.append(torch.get_num_threads()))
    train(tiny(dropout=True), colors(), RECIPE, emit=heard, threads=1)
    assert torch.equal(torch.rand(3), expected)
    assert torch.get_num_threads() == threads
    assert set(seen) == {1}
    assert heard.of(Started)[0].threads == 1


# Probes


@pytest.mark.usefixtures("eager")
def test_a_probe_sees_the_model_between_steps_and_its_images_are_sent() -> None:
    look, heard = Look(lambda model: model.training), Listener()
    train(tiny(), colors(), RECIPE, emit=heard, probes=[look])
    assert look.images is not None
    assert look.images.shape == (32, 3, 8, 8)
    taken = heard.of(SnapshotTaken)
    assert [event.step for event in taken][:8] == [0, 1, 2, 3, 4, 5, 6, 6]
    assert {(event.kind, event.payload) for event in taken[1:6]} == {("look", True)}


def test_probes_take_a_fiftieth_of_the_time(monkeypatch: pytest.MonkeyPatch) -> None:
    now = [0.0]

    def tick() -> float:
        now[0] += 0.5
        return now[0]

    def slow(model: Model) -> str:
        now[0] += 1.0
        return "seen"

    monkeypatch.setattr(metrics.time, "perf_counter", tick)
    heard = Listener()
    train(tiny(), colors(), RECIPE.replace(epochs=10), emit=heard, probes=[Look(slow)])
    taken = len(heard.of(SnapshotTaken))
    assert taken >= 2
    assert (taken - 1) * 1.0 <= 0.02 * now[0]


def test_the_model_is_shown_before_the_first_and_after_every_epoch() -> None:
    seen: list[int] = []
    prepared = prepare(tiny(), colors(), RECIPE)
    train_prepared(prepared, emit=Listener(), after_epoch=lambda epoch, model: seen.append(epoch))
    assert seen == [0, 1, 2]
