"""`cnnstudio runs`: the trainings on this machine."""

from __future__ import annotations

import argparse
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.arguments import RUN_HELP
from cnnstudio.cli.command import DONE, Command, Parser, add_json_option, add_subcommands
from cnnstudio.cli.output import pairs, print_json, table
from cnnstudio.core.formatting import percent

if TYPE_CHECKING:
    from cnnstudio.runs.run import Run
    from cnnstudio.training.events import Diagnosed


class Runs(Command):
    name = "runs"
    help = "list, show, compare and delete runs"
    examples = (
        "cnnstudio runs list",
        "cnnstudio runs show first-run",
        "cnnstudio runs compare first-run second-run",
    )
    order = 7

    def arguments(self, parser: Parser) -> None:
        words = add_subcommands(parser, "action")
        listing = words.add_parser("list", help="show all runs, the newest first")
        show = words.add_parser("show", help="what is known of one run, epoch by epoch")
        show.add_argument("run", metavar="RUN", help=RUN_HELP)
        compare = words.add_parser("compare", help="two runs side by side")
        compare.add_argument("run", metavar="RUN", help=RUN_HELP)
        compare.add_argument("other", metavar="RUN", help=RUN_HELP)
        delete = words.add_parser("delete", help="delete a run's files")
        delete.add_argument("run", metavar="RUN", help=RUN_HELP)
        for word in (listing, show, compare, delete):
            add_json_option(word)

    def run(self, options: argparse.Namespace) -> int:
        action = {"list": _list, "show": _show, "compare": _compare, "delete": _delete}[options.action]
        action(options)
        return DONE


def _list(options: argparse.Namespace) -> None:
    from cnnstudio.runs.run import list_runs, runs_folder

    runs = list_runs()
    if options.json:
        print_json({"folder": str(runs_folder()), "runs": [_facts(run) for run in runs]})
        return
    rows = [[run.id, run.name, run.status, _test_accuracy(run), _when(run)] for run in runs]
    print(table(["Run", "Network", "Status", "Test accuracy", "Started"], rows, right=(3,)))
    print(f"\nThey are kept in {runs_folder()}")


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
    return percent(run.test.accuracy) if run.test else ""


def _show(options: argparse.Namespace) -> None:
    from cnnstudio.cli.training_output import epoch_table
    from cnnstudio.runs.run import find_run

    run = find_run(options.run)
    if options.json:
        epochs = [epoch.to_json() for epoch in run.history]
        diagnosed = [event.to_json() for event in _diagnosed(run)]
        content = {"recipe": run.recipe.to_json(), "epochs": epochs, "diagnosed": diagnosed}
        print_json({**_facts(run), **content})
        return
    print(f"{pairs(_described(run))}\n\n{epoch_table(run.history)}")
    for event in _diagnosed(run):
        print(f"\nAfter {event.epoch:.1f} epochs: {event.message} {event.advice}")


def _diagnosed(run: Run) -> list[Diagnosed]:
    from cnnstudio.training.events import Diagnosed

    return [event for event in run.events() if isinstance(event, Diagnosed)]


def _described(run: Run) -> list[tuple[str, str]]:
    from cnnstudio.design.analysis.analysis import analyze

    best = f" (weights of epoch {run.best_epoch})" if run.best_epoch else ""
    return [
        ("Run", run.id),
        ("Network", f"{run.name}, {analyze(run.network).parameters:,} parameters"),
        ("Data", run.dataset_name),
        ("Recipe", run.recipe.name),
        ("Status", f"{run.status}. {run.reason}".strip()),
        ("Test accuracy", f"{_test_accuracy(run)}{best}" if run.test else "not known"),
        ("Started", _when(run)),
        ("Folder", str(run.folder)),
    ]


def _compare(options: argparse.Namespace) -> None:
    from cnnstudio.cli.comparison import Comparison
    from cnnstudio.runs.run import find_run

    comparison = Comparison(find_run(options.run), find_run(options.other))
    if options.json:
        facts = [_facts(run) for run in comparison.runs]
        print_json(comparison.to_json(facts))
    else:
        print(comparison.text())


def _delete(options: argparse.Namespace) -> None:
    from cnnstudio.runs.deletion import delete_run
    from cnnstudio.runs.run import find_run

    run = find_run(options.run)
    delete_run(run)
    if options.json:
        print_json({"deleted": str(run.folder)})
    else:
        print(f"{run.folder}: deleted")
