"""`cnnstudio export`: exports a trained run to other formats."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.arguments import RUN_HELP
from cnnstudio.cli.command import DONE, FAILED, Command, Parser, UsageError, add_json_option
from cnnstudio.cli.output import LiveLine, echo, print_json
from cnnstudio.core.files import exists, is_folder

if TYPE_CHECKING:
    from cnnstudio.export import Exporter
    from cnnstudio.runs.run import Run


class Export(Command):
    name = "export"
    help = "export a run's best weights, and verify that the exported model gives the same predictions"
    examples = ("cnnstudio export first-run --format safetensors,onnx,pytorch --out model",)
    order = 6

    def add_arguments(self, parser: Parser) -> None:
        from cnnstudio.export import exporters

        formats = f"a comma-separated list of {', '.join(exporters())}"
        parser.add_argument("run", metavar="RUN", help=RUN_HELP)
        parser.add_argument("--format", required=True, metavar="NAMES", help=formats)
        parser.add_argument(
            "--out", required=True, type=Path, metavar="FOLDER", help="the folder to write to"
        )
        parser.add_argument(
            "--no-verify", action="store_true", help="do not compare the exported model with the original"
        )
        add_json_option(parser)

    def run(self, options: argparse.Namespace) -> int:
        from cnnstudio.cli.run_data import open_run
        from cnnstudio.data.versions.evaluations import evaluation_count
        from cnnstudio.export import select_exporters
        from cnnstudio.runs.library.tested import describe_tested_run

        chosen = select_exporters(options.format.split(","))
        run = open_run(options.run)
        if exists(options.out) and not is_folder(options.out):
            raise UsageError(f"--out: {options.out} is a file; choose a folder")
        results, failures = _export(run, chosen, options)
        evaluations = evaluation_count(run.data_version)
        if options.json:
            test = {"accuracy": run.test.accuracy if run.test else None, "evaluations": evaluations}
            print_json({"run": str(run.folder), "exports": results, "failures": failures, "test": test})
        elif run.test and results:
            echo(describe_tested_run(run))
        for failure in failures:
            echo(f"cnnstudio: {failure}", file=sys.stderr)
        return FAILED if failures else DONE


def _export(
    run: Run, chosen: Sequence[Exporter], options: argparse.Namespace
) -> tuple[list[dict[str, Any]], list[str]]:
    """The results and the error messages of all formats; one that fails does not stop the others."""
    from cnnstudio.export import ExportFailed

    line = LiveLine()
    results, failures = [], []
    for exporter in chosen:
        try:
            result = exporter.export(
                run, options.out, not options.no_verify, lambda progress: line.show(progress.text)
            )
        except ExportFailed as error:
            failures.append(f"{exporter.title}: {error}")
            continue
        finally:
            line.clear()
        files = [str(path) for path in result.files]
        results.append(
            {"format": exporter.name, "files": files, "largest_difference": result.largest_difference}
        )
        if not options.json:
            echo(result.message)
    return results, failures
