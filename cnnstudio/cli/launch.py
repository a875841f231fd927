"""`cnnstudio train --print-launch`: how the same training is started on several processes and machines."""

from __future__ import annotations

import argparse
import shlex
from collections.abc import Sequence

from cnnstudio.cli.command import UsageError
from cnnstudio.core.parameters import shorten

_RESTARTS = 3
"""How often all processes are started anew where one is lost, before the training is given up."""

_MOST = 10_000

_SCRIPT = """\
#!/bin/bash
#SBATCH --job-name=cnnstudio
#SBATCH --nodes={nodes}
#SBATCH --ntasks-per-node=1
{gpus}\
# On one machine, without Slurm:
#   {alone}
set -euo pipefail

cpus=${{SLURM_CPUS_PER_TASK:-{ranks}}}
export SRUN_CPUS_PER_TASK=$cpus OMP_NUM_THREADS=$((cpus > {ranks} ? cpus / {ranks} : 1))
read -r first_node < <(scontrol show hostnames "$SLURM_JOB_NODELIST")

srun torchrun --nnodes {nodes} --nproc-per-node {ranks} --max-restarts {restarts} \\
    --rdzv-backend c10d --rdzv-id "$SLURM_JOB_ID" \\
    --rdzv-endpoint "$first_node:$((20000 + SLURM_JOB_ID % 10000))" \\
    {command}"""


def add_launch_options(parser: argparse.ArgumentParser) -> None:
    """Options that print how the training is started on several machines, in place of it."""
    group = parser.add_argument_group("on several processes and machines, by torchrun")
    group.add_argument(
        "--print-launch",
        action="store_true",
        help="do not train: print a Slurm script that starts this very command on several processes, which "
        "train together and are started anew where one is lost; its first lines tell how torchrun does the "
        "same without Slurm",
    )
    group.add_argument("--nodes", type=_count, metavar="N", default=1, help="machines for it (default: 1)")
    group.add_argument(
        "--ranks-per-node",
        type=_count,
        metavar="N",
        default=1,
        help="processes on each of them, one for each GPU where there are any (default: 1)",
    )


def launch_script(options: argparse.Namespace, words: Sequence[str]) -> str:
    """For the command line of those words, which `options` were read from; without these three options.

    Raises UsageError for words that no line of a script can hold.
    """
    if any("\n" in word for word in words):
        raise UsageError("--print-launch: names with line breaks cannot be written into a script")
    ours = argparse.ArgumentParser(add_help=False)
    add_launch_options(ours)
    # The two dashes keep torchrun from reading our options as short forms of its own, such as --run-path.
    command = shlex.join(["-m", "--", "cnnstudio", *ours.parse_known_args(words)[1]])
    ranks = options.ranks_per_node
    return _SCRIPT.format(
        nodes=options.nodes,
        ranks=ranks,
        restarts=_RESTARTS,
        gpus="" if options.device == "cpu" else f"#SBATCH --gpus-per-node={ranks}\n",
        alone=f"torchrun --standalone --nproc-per-node {ranks} --max-restarts {_RESTARTS} {command}",
        command=command,
    )


def _count(text: str) -> int:
    if text.isdecimal() and 1 <= int(text) <= _MOST:
        return int(text)
    raise argparse.ArgumentTypeError(f"a whole number from 1 to {_MOST:,} is needed, not {shorten(text)}")
