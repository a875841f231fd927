"""`cnnstudio import FILE.onnx`: a design and its weights, compared with the file."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from cnnstudio.cli.command import DONE, FAILED, UsageError
from cnnstudio.cli.commands.summary import summary, summary_text
from cnnstudio.cli.output import LiveLine, echo, print_json
from cnnstudio.core.files import exists, is_folder
from cnnstudio.core.progress import never_cancelled

if TYPE_CHECKING:
    from cnnstudio.design.analysis.analysis import Analysis
    from cnnstudio.design.network import Network
    from cnnstudio.interchange.onnx.reader import ImportedOnnx
    from cnnstudio.training.pretrained.onnx_scores import ScoreComparison


def is_onnx(path: Path) -> bool:
    """Whether this is the name of an ONNX file."""
    from cnnstudio.interchange.source import ONNX_SUFFIX

    return path.suffix.lower() == ONNX_SUFFIX


def import_onnx(options: argparse.Namespace) -> int:
    """Writes the design, and the weights if asked to. Raises UsageError, OnnxError and FileError."""
    from cnnstudio.design.analysis.analysis import analyze
    from cnnstudio.design.file import write_design
    from cnnstudio.interchange.endings import with_classes
    from cnnstudio.interchange.onnx.reader import read_onnx
    from cnnstudio.interchange.onnx.weights import write_weights
    from cnnstudio.training.pretrained.metadata import SUFFIX, weights_metadata
    from cnnstudio.training.pretrained.onnx_scores import compare_scores

    if options.recipe is not None:
        raise UsageError("--recipe: an ONNX file does not say how its network was trained")
    if not exists(options.code) or is_folder(options.code):
        raise UsageError(f"there is no file “{options.code}”")
    if options.weights_out is not None and options.weights_out.suffix.lower() != SUFFIX:
        raise UsageError(f"--weights-out: choose a name that ends in {SUFFIX}, not {options.weights_out}")
    line = LiveLine()
    imported = read_onnx(options.code, output=options.network, size=options.size, progress=line.show_progress)
    comparison = compare_scores(imported)
    design = imported.design
    if options.classes is not None:
        design = with_classes(design, options.classes)
    if options.weights_out is not None:
        metadata = weights_metadata(options.code.name, imported.normalization)
        write_weights(options.weights_out, imported.weights, metadata, line.show_progress, never_cancelled)
    write_design(options.out, design.network)
    analysis = analyze(design.network)
    if options.json:
        print_json(_content(options, imported, analysis, comparison))
    else:
        echo(_text(options, imported, design.network, analysis, comparison))
    if imported.is_exact and comparison.largest_difference is not None and not comparison.agrees:
        echo(f"cnnstudio: {comparison.text}.", file=sys.stderr)
        return FAILED
    return DONE


def _content(
    options: argparse.Namespace, imported: ImportedOnnx, analysis: Analysis, comparison: ScoreComparison
) -> dict[str, Any]:
    found = imported.normalization
    return {
        **summary(analysis),
        "language": imported.design.language,
        "recipe": {},
        "networks": list(imported.design.networks),
        "notes": [{"line": None, "text": note.text, "place": None} for note in imported.design.notes],
        "data": None,
        "exact": imported.is_exact,
        "comparison": {
            "largest_difference": comparison.largest_difference,
            "agrees": comparison.agrees if comparison.largest_difference is not None else None,
            "reason": comparison.reason or None,
        },
        "normalization": None if found is None else {"mean": list(found[0]), "std": list(found[1])},
        "weights": None if options.weights_out is None else str(options.weights_out),
        "out": str(options.out),
    }


def _text(
    options: argparse.Namespace,
    imported: ImportedOnnx,
    network: Network,
    analysis: Analysis,
    comparison: ScoreComparison,
) -> str:
    lines = [summary_text(analysis), ""]
    if imported.design.networks:
        names = ", ".join(imported.design.networks)
        lines += [f"Outputs of the file: {names} (choose one with --network)", ""]
    if imported.design.notes:
        lines += ["Notes", *(f"  {note.text}" for note in imported.design.notes), ""]
    lines += [f"{comparison.text}.", f"{options.out}: converted from {options.code.name}"]
    if options.weights_out is None:
        return "\n".join([*lines, "The weights were not kept: add --weights-out FILE.safetensors"])
    images = "as the file does" if imported.normalization else "by your images, as the file leaves it open"
    return "\n".join(
        [
            *lines,
            f"{options.weights_out}: its weights; training normalizes {images}",
            f"Train with: cnnstudio train {_quoted(options.out)} --weights {_quoted(options.weights_out)}",
        ]
    )


def _quoted(path: Path) -> str:
    text = str(path)
    return json.dumps(text, ensure_ascii=False) if " " in text else text
