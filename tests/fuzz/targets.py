"""What the fuzzers try without the window; tests/gui/fuzz has the rest.

Each target uses real files: those that version 0.1 wrote, and new ones.
"""

from __future__ import annotations

import hashlib
import json
import shutil
from functools import partial
from pathlib import Path
from typing import Any, ClassVar

from tests.compatibility.old_files import put_old_files
from tests.fuzz.target import Attempts, Target, command


def put_home(folder: Path, *kept: str) -> None:
    """The home of version 0.1, of which only these runs and no searches stay."""
    put_old_files(folder)
    for path in [*(folder / "home" / "runs").iterdir(), *(folder / "home" / "searches").iterdir()]:
        if path.name not in kept:
            shutil.rmtree(path)


def train(folder: Path, epochs: int, stop_after: int | None = None) -> None:
    """A run of the present program, on the images of version 0.1's home."""
    import torch

    from cnnstudio.data.sources import find_source
    from cnnstudio.runs.start import RunOptions, start_run
    from cnnstudio.training.control import Control
    from cnnstudio.training.events import EpochEnded, Event
    from cnnstudio.training.recipe.recipe import Recipe
    from tests.training.networks import tiny

    torch.set_num_threads(1)
    control = Control()

    def stop(event: Event) -> None:
        if isinstance(event, EpochEnded) and event.epoch == stop_after:
            control.request_stop()

    dataset = find_source("brightness").load()
    recipe = Recipe("fresh", epochs=epochs, batch_size=8, validation_share=0.25)
    options = RunOptions(
        folder=folder / "home" / "runs" / "fresh", source="brightness", device="cpu", threads=1
    )
    start_run(tiny(len(dataset.classes)), dataset, recipe, options, control=control, emit=stop)


class Designs(Target):
    """Design files, what is worked out from them, and the code and files written from them."""

    fuzzed: ClassVar = ("designs/*.json",)
    may_leave: ClassVar = ("out", "out/*")

    def prepare(self, folder: Path) -> None:
        from cnnstudio.design.file import write_design
        from cnnstudio.design.templates import templates

        put_home(folder)
        for name in ("lesson-32", "resnet-20"):
            write_design(folder / "designs" / f"{name}.cnn.json", templates()[name].network)

    def run(self, folder: Path, names: list[str], attempt: Attempts) -> None:
        from cnnstudio.design.file import read_design

        out = folder / "out"
        out.mkdir(exist_ok=True)
        other = folder / "designs" / "small.cnn.json"
        for name in names:
            path = folder / name
            network = attempt("read", lambda path=path: read_design(path))
            attempt("summary --json", command("summary", path, "--json"))
            attempt("summary", command("summary", path, "--drawing", out / "drawing.svg"))
            attempt("compare", command("summary", path, "--compare", other))
            if network is not None:
                self._use(network, out, attempt)

    def _use(self, network: Any, out: Path, attempt: Attempts) -> None:
        from cnnstudio.design.advice.advice import advise
        from cnnstudio.design.analysis.analysis import analyze
        from cnnstudio.design.analysis.memory_estimate import estimate_memory
        from cnnstudio.design.file import design_text, parse_design, write_design
        from cnnstudio.design.quick_fixes import preview_fix
        from cnnstudio.interchange.keras import writer as keras
        from cnnstudio.interchange.pytorch import writer as pytorch

        attempt("analyze for classes", lambda: analyze(network, classes=2))
        analysis = attempt("analyze", lambda: analyze(network))
        attempt("write", lambda: write_design(out / "again.cnn.json", network))
        again = attempt("read again", lambda: parse_design(design_text(network)))
        assert again is None or again == network, "reading what was written gives another network"
        if analysis is None:
            return
        advice = attempt("advise", lambda: advise(analysis)) or ()
        for finding in [*analysis.problems[:3], *advice[:3]]:
            for fix in finding.fixes[:2] if hasattr(finding, "fixes") else ():
                attempt("preview", partial(preview_fix, network, finding, fix))
        attempt("memory", lambda: estimate_memory(analysis, 32, 2))
        for language in (keras, pytorch):
            attempt("layer code", lambda language=language: language.layer_code(network, analysis))
            attempt("file code", lambda language=language: language.file_code(network, analysis))


class Recipes(Target):
    """Recipes, read from a file or by name, and the first step of a training with each."""

    fuzzed: ClassVar = ("home/recipes/*.json",)
    may_leave: ClassVar = ("out", "out/*")

    def prepare(self, folder: Path) -> None:
        from cnnstudio.core.files import write_json
        from cnnstudio.training.recipe.built_in import RECIPES

        put_home(folder)
        for name in ("lesson", "fast-cpu"):
            write_json(folder / "home" / "recipes" / f"own-{name}.json", RECIPES[name].to_json())

    def enter(self, folder: Path) -> None:
        from cnnstudio.data.sources import find_source

        self._dataset = find_source("brightness").load()

    def run(self, folder: Path, names: list[str], attempt: Attempts) -> None:
        from cnnstudio.training.recipe.files import known_recipes, read_recipe, with_known_name

        attempt("all recipes", known_recipes)
        for name in names:
            path = folder / name
            recipe = attempt("read", lambda path=path: read_recipe(path))
            attempt("read by name", lambda path=path: read_recipe(path.stem))
            if recipe is not None:
                attempt("write", lambda recipe=recipe: json.dumps(recipe.to_json(), allow_nan=False))
                attempt("name", lambda recipe=recipe: with_known_name(recipe))
                attempt("train", partial(self._train, recipe, folder / "out"))

    def _train(self, recipe: Any, where: Path) -> None:
        from cnnstudio.runs.start import RunOptions, start_run
        from cnnstudio.training.control import Control
        from tests.training.networks import tiny

        control = Control()
        control.request_stop()
        try:
            start_run(
                tiny(2),
                self._dataset,
                recipe,
                RunOptions(folder=where, source="brightness", device="cpu", threads=1),
                control=control,
            )
        finally:
            shutil.rmtree(where, ignore_errors=True)


class RunFolders(Target):
    """What is read of runs without torch: lists, the table, one run, two compared, and one watched."""

    fuzzed: ClassVar = (
        "home/run-summaries.json",
        *(
            f"home/runs/{run}/{name}"
            for run in ("fresh", "stopped")
            for name in ("run.json", "events.jsonl", "recipe.json", "design.cnn.json", "label.json", "lock")
        ),
    )
    # The last one is where a broken link leads: who makes the file of the summaries one, gets them there.
    may_leave: ClassVar = ("home/runs/*/lock", "home/run-summaries.json", "home/not there")

    def prepare(self, folder: Path) -> None:
        from cnnstudio.runs.library.label import change_label
        from cnnstudio.runs.library.listing import list_summaries

        put_home(folder, "stopped", "first")
        train(folder, 3)
        change_label(
            folder / "home" / "runs" / "fresh", title="Good", tags=("keep", "lesson"), note="The first."
        )
        list_summaries()

    def run(self, folder: Path, names: list[str], attempt: Attempts) -> None:
        from cnnstudio.runs.run import Run
        from cnnstudio.runs.watching import RunWatcher

        attempt("list --json", command("runs", "list", "--json"))
        attempt("list", command("runs", "list"))
        # The second time from what the first one has kept.
        for _ in range(2):
            attempt("table", self._tabulate)
        for name in {Path(name).parts[2] for name in names if "/runs/" in name}:
            path = folder / "home" / "runs" / name
            attempt("show --json", command("runs", "show", path, "--json"))
            attempt("show", command("runs", "show", name))
            attempt("compare --json", command("runs", "compare", path, "first", "--json"))
            attempt("compare", command("runs", "compare", "first", path))
            watcher = RunWatcher(path)
            attempt("watch", watcher.poll)
            attempt("watch on", watcher.poll)
            run = attempt("open", lambda path=path: Run.open(path))
            for part in ("classes", "host", "reason", "test_images", "dataset_fingerprint", "history"):
                if run is not None:
                    attempt(part, lambda run=run, part=part: getattr(run, part))

    def _tabulate(self) -> None:
        from cnnstudio.runs.library.arrangement import SAME_TRAINING, Query, arrange
        from cnnstudio.runs.library.columns import FIXED, differing
        from cnnstudio.runs.library.listing import list_summaries

        runs = list_summaries().runs
        for key in (*FIXED, *(column.key for column in differing(runs))):
            arrange(runs, Query(sort=key))
            arrange(runs, Query(sort=key, group=key))
        arrange(runs, Query(text="a", group=SAME_TRAINING))
        for run in runs:
            for column in FIXED.values():
                column.text(run)
            assert len(run.training_curve) + len(run.validation_curve) >= 0


class Checkpoints(Target):
    """What is read of a run to compute: its weights are evaluated, predict, are exported and resumed."""

    fuzzed: ClassVar = (
        "home/runs/fresh/checkpoints/*",
        "home/runs/fresh/run.json",
        "home/runs/fresh/recipe.json",
        "home/runs/fresh/events.jsonl",
    )
    may_leave: ClassVar = (
        *("home/runs/fresh", "home/runs/fresh/*", "home/datasets/*", "home/readings", "home/readings/*"),
        *("home/features", "home/features/*", "out", "out/*"),
    )

    def prepare(self, folder: Path) -> None:
        put_home(folder)
        train(folder, 3, stop_after=2)

    def enter(self, folder: Path) -> None:
        import torch

        from cnnstudio.data.sources import find_source

        torch.set_num_threads(1)
        self._dataset = find_source("brightness").load()

    def repair(self, folder: Path, names: list[str]) -> None:
        from cnnstudio.training.checkpoints.store import with_checksum

        checkpoints = folder / "home" / "runs" / "fresh" / "checkpoints"
        for path in filter(Path.is_file, checkpoints.glob("*.json")):
            try:
                manifest = json.loads(path.read_bytes())
                for part in ("weights", "state"):
                    data = checkpoints / manifest[part]["file"]
                    if data.is_file():
                        manifest[part]["sha256"] = hashlib.sha256(data.read_bytes()).hexdigest()
                path.write_text(json.dumps(with_checksum(manifest)))
            except (OSError, ValueError, TypeError, LookupError, RecursionError, AttributeError):
                continue

    def run(self, folder: Path, names: list[str], attempt: Attempts) -> None:
        from cnnstudio.runs.run import Run

        path = folder / "home" / "runs" / "fresh"
        cpu = ("--device", "cpu", "--threads", "1")
        image = folder / "brightness" / "test" / "dark" / "00.png"
        for which in ("best", "last", "previous"):
            attempt(which, lambda which=which: Run.open(path).model(which))
        attempt("evaluate", command("evaluate", path, *cpu))
        attempt("predict", command("predict", path, image, *cpu, "--json"))
        out = folder / "out"
        attempt("export", command("export", path, "--format", "safetensors", "--out", out, "--no-verify"))
        shutil.rmtree(out, ignore_errors=True)
        attempt("continue", partial(self._train, path, out, is_resumed=False))
        shutil.rmtree(out, ignore_errors=True)
        # Last: it changes the run.
        attempt("resume", partial(self._train, path, path, is_resumed=True))

    def _train(self, path: Path, where: Path, *, is_resumed: bool) -> None:
        """Until the first step."""
        from cnnstudio.runs.run import Run
        from cnnstudio.runs.start import RunOptions, start_run
        from cnnstudio.training.control import Control

        run, control = Run.open(path), Control()
        control.request_stop()
        parent = None if is_resumed else path
        options = RunOptions(
            folder=where,
            source="brightness",
            device="cpu",
            threads=1,
            resume=is_resumed,
            continue_from=parent,
        )
        start_run(run.network, self._dataset, run.recipe, options, control=control)


class Snapshots(Target):
    """Saved feature maps, every array of them."""

    fuzzed: ClassVar = ("home/runs/*/snapshots/*.npz",)

    def prepare(self, folder: Path) -> None:
        put_home(folder, "finished", "stopped")
        train(folder, 1)

    def run(self, folder: Path, names: list[str], attempt: Attempts) -> None:
        from cnnstudio.runs.run import Run

        for name in names:
            run = Run.open(folder / "home" / "runs" / Path(name).parts[2])
            epoch = int(Path(name).stem.removeprefix("epoch-"))
            snapshot = attempt("open", lambda run=run, epoch=epoch: run.snapshot(epoch))
            if snapshot is None:
                continue
            attempt("images", lambda snapshot=snapshot: snapshot.images)
            attempt("labels", lambda snapshot=snapshot: snapshot.labels)
            for node in run.network.walk():
                for image in (0, 3):
                    attempt("maps", partial(snapshot.feature_maps, node.id, image))


class DataSets(Target):
    """The list of image folders, and the decoded images."""

    fuzzed: ClassVar = (
        "home/datasets/folders.json",
        "home/datasets/decoded/*/*/about.json",
        "home/datasets/decoded/*/*/*.labels",
        "home/datasets/decoded/*/*/*.pixels",
    )
    may_leave: ClassVar = ("home/datasets", "home/datasets/*")

    def prepare(self, folder: Path) -> None:
        put_home(folder)

    def repair(self, folder: Path, names: list[str]) -> None:
        for path in filter(Path.is_file, (folder / "home" / "datasets" / "decoded").glob("*/*/about.json")):
            try:
                about = json.loads(path.read_bytes())
                for name in about["files"]:
                    state = (path.parent / name).stat()
                    about["files"][name] = [state.st_size, state.st_mtime_ns]
                about.pop("sha256", None)
                text = json.dumps(about, sort_keys=True)
                path.write_text(json.dumps({**about, "sha256": hashlib.sha256(text.encode()).hexdigest()}))
            except (OSError, ValueError, TypeError, LookupError, RecursionError, AttributeError):
                continue

    def run(self, folder: Path, names: list[str], attempt: Attempts) -> None:
        from cnnstudio.data.sources import find_source

        attempt("list --json", command("data", "list", "--json"))
        attempt("list", command("data", "list"))
        attempt("info", command("data", "info", "brightness"))
        for name in ("brightness", str(folder / "brightness")):
            source = attempt("find", partial(find_source, name))
            dataset = attempt("load", source.load) if source is not None else None
            if dataset is not None:
                attempt("use", partial(self._use, dataset))
        attempt("add", command("data", "add", folder / "brightness" / "train"))
        attempt("clear", command("data", "clear"))

    def _use(self, dataset: Any) -> None:
        from cnnstudio.data.images.resizing import resize

        for split in (dataset.train, dataset.test):
            assert len(split), "no images"
            assert split.images.shape[1:] == dataset.shape
            assert len(split.images) == len(split.labels)
            assert 0 <= split.labels.min() <= split.labels.max() < len(dataset.classes)
            assert split.images.sum() >= 0
        assert dataset.fingerprint
        resize(dataset, (3, 12, 12))


class Searches(Target):
    """The folder of a search: its plan, its trials and their settings."""

    fuzzed: ClassVar = ("home/searches/small-search/*.json",)

    def prepare(self, folder: Path) -> None:
        put_home(folder, "small-search")

    def run(self, folder: Path, names: list[str], attempt: Attempts) -> None:
        from cnnstudio.tuning.study import Study

        study = attempt("open", lambda: Study.open(folder / "home" / "searches" / "small-search"))
        if study is None:
            return
        attempt("ranked", lambda: (study.ranked, study.best, study.baseline, study.ended))
        for trial in study.trials[:5]:
            attempt("configuration", partial(study.configuration, trial))
            attempt(
                "as JSON", lambda trial=trial: json.dumps(trial.to_json(study.plan.space), allow_nan=False)
            )
