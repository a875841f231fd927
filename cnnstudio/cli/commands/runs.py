"""`cnnstudio runs`: lists, shows, compares, labels, packs and deletes runs."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.arguments import RUN_HELP, add_device_options, read_integer
from cnnstudio.cli.command import (
    DONE,
    Command,
    Parser,
    UsageError,
    add_json_option,
    add_subcommand,
    add_subcommands,
)
from cnnstudio.cli.experiments import learning_curve, retraining
from cnnstudio.cli.output import LiveLine, echo, print_json, table, two_columns
from cnnstudio.core.formatting import format_percent

if TYPE_CHECKING:
    from cnnstudio.runs.run import Run
    from cnnstudio.training.events import Diagnosed


_CHOSEN = "(best)"
_CHOSEN_NOTE = "the best epoch was chosen on the test images, so new images are likely to give less."


class Runs(Command):
    name = "runs"
    help = "list, show, compare, label, pack and delete runs"
    examples = (
        "cnnstudio runs list",
        "cnnstudio runs show first-run",
        "cnnstudio runs compare first-run second-run",
        "cnnstudio runs compare first-run second-run --seeds 3",
        "cnnstudio runs label first-run --title Baseline --tags good,keep",
        "cnnstudio runs retrain first-run",
        "cnnstudio runs learning-curve first-run",
        "cnnstudio runs pack first-run --out first-run.zip",
    )
    order = 8

    def add_arguments(self, parser: Parser) -> None:
        actions = add_subcommands(parser, "action")
        listing = add_subcommand(actions, "list", help="list all runs, newest first")
        show = add_subcommand(actions, "show", help="show the details and epochs of a run")
        show.add_argument("run", metavar="RUN", help=RUN_HELP)
        compare = add_subcommand(
            actions, "compare", help="compare two runs and test whether their results differ significantly"
        )
        compare.add_argument("run", metavar="RUN", help=RUN_HELP)
        compare.add_argument("other", metavar="RUN", help=RUN_HELP)
        compare.add_argument(
            "--seeds",
            type=read_integer,
            metavar="N",
            help="first train more seeds of both, until each has N, with the device and threads of its run",
        )
        compare.add_argument(
            "--align",
            choices=("epochs", "images"),
            default="epochs",
            help="compare the curves epoch by epoch (default), or after as many images seen",
        )
        add_device_options(compare)
        compare.set_defaults(device=None)
        label = add_subcommand(actions, "label", help="give a run a title, tags and a note")
        label.add_argument("run", metavar="RUN", help=RUN_HELP)
        label.add_argument("--title", metavar="TEXT", help="shown in place of the network's name")
        label.add_argument("--tags", metavar="A,B", help="replaces all tags; separate them with commas")
        label.add_argument("--note", metavar="TEXT", help="a longer text")
        pack = add_subcommand(actions, "pack", help="write a run to one zip file, to hand it over")
        pack.add_argument("run", metavar="RUN", help=RUN_HELP)
        pack.add_argument(
            "--out",
            required=True,
            type=Path,
            metavar="FILE.zip",
            help="the file to write; the window and every command open it like a run",
        )
        delete = add_subcommand(actions, "delete", help="move a run to the trash")
        delete.add_argument("run", metavar="RUN", help=RUN_HELP)
        delete.add_argument(
            "--permanently", action="store_true", help="delete the files for good instead, to free space"
        )
        retrain = add_subcommand(
            actions, "retrain", help="train a run again on its corrected images, and compare before and after"
        )
        retraining.add_arguments(retrain)
        curve = add_subcommand(
            actions, "learning-curve", help="find out whether more images or another network would help a run"
        )
        learning_curve.add_arguments(curve)
        for action in (listing, show, compare, label, pack, delete, retrain, curve):
            add_json_option(action)

    def run(self, options: argparse.Namespace) -> int:
        action: Callable[[argparse.Namespace], int | None] = {
            "list": _list,
            "show": _show,
            "compare": _compare,
            "label": _label,
            "pack": _pack,
            "delete": _delete,
            "retrain": retraining.run_retrain,
            "learning-curve": learning_curve.run_learning_curve,
        }[options.action]
        return action(options) or DONE


def _list(options: argparse.Namespace) -> None:
    from cnnstudio.runs.library.finding import list_runs, runs_folder

    runs = list_runs()
    if options.json:
        print_json({"folder": str(runs_folder()), "runs": [_facts(run) for run in runs]})
        return
    rows = [[run.id, run.name, run.status, _listed_accuracy(run), _when(run)] for run in runs]
    echo(table(["Run", "Network", "Status", "Test accuracy", "Started"], rows, right=(3,)))
    if any(_CHOSEN in row[3] for row in rows):
        echo(f"\n{_CHOSEN}: {_CHOSEN_NOTE}")
    echo(f"\nFolder: {runs_folder()}")


def _facts(run: Run) -> dict[str, Any]:
    scores = run.test
    return {
        "id": run.id,
        "name": run.name,
        "status": run.status,
        "reason": run.reason,
        "created": run.created.isoformat(),
        "folder": str(run.folder),
        "data": run.dataset_name,
        "test": {"loss": scores.loss, "accuracy": scores.accuracy} if scores else None,
        "best_epoch": run.best_epoch,
    }


def _when(run: Run) -> str:
    return f"{run.created:%Y-%m-%d %H:%M}"


def _test_accuracy(run: Run) -> str:
    return format_percent(run.test.accuracy) if run.test else ""


def _listed_accuracy(run: Run) -> str:
    """With a mark if it is that of the best epoch on the test images."""
    text = _test_accuracy(run)
    return f"{text} {_CHOSEN}" if text and run.is_chosen_on_test else text


def _show(options: argparse.Namespace) -> None:
    from cnnstudio.cli.training_output import epoch_table
    from cnnstudio.data.versions.evaluations import evaluation_count
    from cnnstudio.runs.library.finding import find_run

    run = find_run(options.run)
    if options.json:
        epochs = [epoch.to_json() for epoch in run.history]
        diagnosed = [event.to_json() for event in _diagnosed(run)]
        content = {
            **_label_facts(run.folder),
            "recipe": run.recipe.to_json(),
            "epochs": epochs,
            "diagnosed": diagnosed,
            "data_version": run.data_version,
            "test_evaluations": evaluation_count(run.data_version),
        }
        print_json({**_facts(run), **content})
        # Not in the JSON, whose keys other programs know.
        for note in _notes(run):
            echo(f"Note: {note}", file=sys.stderr)
        return
    echo(f"{two_columns(_details(run))}\n\n{epoch_table(run.history)}")
    for note in _notes(run):
        echo(f"\nNote: {note}")
    if changes := _thread_changes(run):
        echo(f"\n{changes}")
    for event in _diagnosed(run):
        echo(f"\nEpoch {event.epoch:.1f}: {event.message} {event.advice}")


def _notes(run: Run) -> list[str]:
    """What one has to know to understand the run's figures."""
    from cnnstudio.cli.training_output import CHOSEN_ON_TEST
    from cnnstudio.runs.epochs.saved_best import describe_missing_best

    missing = describe_missing_best(run) if run.status != "running" else ""
    return [*([CHOSEN_ON_TEST] if run.validation_source == "test" else []), *filter(None, [missing])]


def _diagnosed(run: Run) -> list[Diagnosed]:
    from cnnstudio.training.events import Diagnosed

    return run.events_of(Diagnosed)


_MAX_THREAD_CHANGES = 4


def _thread_changes(run: Run) -> str:
    """When the run used fewer threads than usual; empty if it did not."""
    from cnnstudio.training.events import ThreadsChanged

    parts, threads = [], None
    for event in run.events_of(ThreadsChanged):
        if not event.trial and event.threads != (threads or event.usual_threads):
            threads = event.threads
            parts.append(f"epoch {event.epoch:.1f}: {event.text}")
    if len(parts) > _MAX_THREAD_CHANGES:
        return f"The number of threads changed {len(parts):,} times, because other programs were busy."
    text = "; ".join(parts)
    return f"{text[:1].upper()}{text[1:]}." if parts else ""


def _details(run: Run) -> list[tuple[str, str]]:
    from cnnstudio.data.versions.evaluations import describe_evaluations, evaluation_count
    from cnnstudio.design.analysis.analysis import analyze

    source = run.validation_source
    validation = {
        "test": "the test set",
        "own": "the data set's own validation images",
        "share": f"{100 * run.recipe.validation_share:g}% of the training images",
    }
    chosen = ", the best on the test set" if source == "test" else ""
    best = f" (weights of epoch {run.best_epoch}{chosen})" if run.best_epoch else ""
    return [
        ("Run", run.id),
        *_label_lines(run.folder),
        ("Network", f"{run.name}, {analyze(run.network).parameters:,} parameters"),
        ("Data", run.dataset_name),
        ("Data version", run.data_version or "not known"),
        ("Recipe", run.recipe.name),
        *_start_lines(run),
        ("Validation", validation[source]),
        ("Status", f"{run.status}. {run.reason}".strip()),
        ("Test accuracy", f"{_test_accuracy(run)}{best}" if run.test else "none"),
        ("Test set", describe_evaluations(evaluation_count(run.data_version)) or "not known"),
        ("Started", _when(run)),
        ("Folder", str(run.folder)),
    ]


def _start_lines(run: Run) -> list[tuple[str, str]]:
    """What the run started from, and under which terms those weights are; nothing for random ones."""
    start = run.start_weights or run.continued_from or run.network.weights
    lines = [("Started from", start)] if start else []
    notice = run.weights_notice
    return [*lines, ("Weights", f"{notice[:1].upper()}{notice[1:]}")] if notice else lines


def _compare(options: argparse.Namespace) -> int:
    from cnnstudio.cli.comparison import RunComparison
    from cnnstudio.runs.library.finding import find_run

    runs, status = (find_run(options.run), find_run(options.other)), DONE
    if options.seeds is not None:
        from cnnstudio.cli.seed_comparison import train_missing_seeds

        status = train_missing_seeds(runs, options)
        runs = find_run(runs[0].folder), find_run(runs[1].folder)
    comparison = RunComparison(*runs, options.align)
    if options.json:
        facts = [_facts(run) for run in comparison.runs]
        print_json(comparison.to_json(facts))
    else:
        echo(comparison.text())
    return status


def _label(options: argparse.Namespace) -> None:
    from cnnstudio.runs.library.finding import find_run
    from cnnstudio.runs.library.label import change_label, parse_tags

    folder = find_run(options.run).folder
    if (options.title, options.tags, options.note) == (None, None, None):
        raise UsageError("nothing to change: give --title, --tags or --note")
    tags = None if options.tags is None else parse_tags(options.tags)
    changes = {"title": options.title, "tags": tags, "note": options.note}
    change_label(folder, **{name: value for name, value in changes.items() if value is not None})
    if options.json:
        print_json({"run": str(folder), **_label_facts(folder)})
    else:
        echo(two_columns([("Run", folder.name), *_label_lines(folder)]))


def _label_facts(folder: Path) -> dict[str, Any]:
    from cnnstudio.runs.library.label import read_label

    label = read_label(folder)
    return {"title": label.title, "tags": list(label.tags), "note": label.note}


def _label_lines(folder: Path) -> list[tuple[str, str]]:
    """What the user has written about the run, without what is empty."""
    from cnnstudio.runs.library.label import read_label

    label = read_label(folder)
    lines = [("Title", label.title), ("Tags", ", ".join(label.tags)), ("Note", label.note)]
    return [(name, text) for name, text in lines if text]


def _pack(options: argparse.Namespace) -> None:
    from cnnstudio.core.formatting import format_bytes
    from cnnstudio.runs.archive.packing import pack_run
    from cnnstudio.runs.library.finding import find_run

    run, line = find_run(options.run), LiveLine()
    try:
        pack_run(run, options.out, line.show_progress)
    finally:
        line.clear()
    size = options.out.stat().st_size
    if options.json:
        print_json({"run": str(run.folder), "file": str(options.out), "bytes": size})
    else:
        echo(f"Packed {run.id} into {options.out} ({format_bytes(size)})")


def _delete(options: argparse.Namespace) -> None:
    from cnnstudio.runs.library.deletion import TrashError, delete_run, trash_run
    from cnnstudio.runs.library.finding import find_run
    from cnnstudio.runs.run import RunError

    run = find_run(options.run)
    if options.permanently:
        delete_run(run)
    else:
        try:
            trash_run(run)
        except TrashError as error:
            if not error.can_delete_permanently:
                raise
            raise RunError(f"{error} Use --permanently to delete it for good.") from None
    if options.json:
        print_json({"deleted": str(run.folder), "permanently": options.permanently})
    else:
        echo(f"Deleted {run.folder}" if options.permanently else f"Moved {run.folder} to the trash")
