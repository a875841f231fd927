"""Trains a Keras listing on noise, an epoch for each line that comes in; prints images per second.

`training_speed.py` calls it, maybe with another Python: it needs Keras and numpy alone.

    python benchmarks/keras_rival.py LISTING.py IMAGES BATCH_SIZE
"""

from __future__ import annotations

import runpy
import sys
import time

import numpy as np


def main() -> None:
    listing, count, batch_size = sys.argv[1], int(sys.argv[2]), int(sys.argv[3])
    model = runpy.run_path(listing)["model"]
    random = np.random.default_rng(0)
    images = random.standard_normal((count, *model.input_shape[1:]), np.float32)
    labels = np.arange(count) % model.output_shape[-1]
    for _ in sys.stdin:
        began = time.perf_counter()
        model.fit(images, labels, batch_size=batch_size, verbose=0)
        print(count / (time.perf_counter() - began), flush=True)


if __name__ == "__main__":
    main()
