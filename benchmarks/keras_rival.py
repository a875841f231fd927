"""Trains the model of a Keras script on noise, one epoch per line of input; prints images per second.

Started by `training_speed.py`, possibly with another Python: it needs only Keras and NumPy.

    python benchmarks/keras_rival.py SCRIPT.py IMAGES BATCH_SIZE
"""

from __future__ import annotations

import runpy
import sys
import time

import numpy as np


def main() -> None:
    script, count, batch_size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    model = runpy.run_path(script)["model"]
    random = np.random.default_rng(0)
    images = random.standard_normal((count, *model.input_shape[1:]), np.float32)
    labels = np.arange(count) % model.output_shape[-1]
    for _ in sys.stdin:
        start = time.perf_counter()
        model.fit(images, labels, batch_size=batch_size, verbose=0)
        print(count / (time.perf_counter() - start), flush=True)


if __name__ == "__main__":
    main()
