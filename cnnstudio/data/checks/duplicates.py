"""Images that occur more than once: equal ones, and ones that only look the same, mirrored ones too.

Two stages find look-alikes: the most similar small color copies of each image are candidates, and of those
the fine details have to agree. In photos of 32 × 32 pixels a correlation of 0.7 is nearly always right.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from cnnstudio.core.progress import CancelFunction, Progress, ProgressFunction, raise_if_cancelled
from cnnstudio.data.checks.thumbnails import Floats, Grays, SmallImages
from cnnstudio.data.dataset import Rows, Split

THRESHOLD = 0.70
_CANDIDATES = 8
_BLOCK, _COLUMNS = 256, 20_000
"""Images that are compared at a time, with as many others: about 60 MB."""
_MAX_PAIRS = 100_000


@dataclass(frozen=True)
class Pair:
    """Two images that look the same: rows of two splits, which may be the same."""

    row: int
    other: int
    score: float
    """The smaller one of the correlations of their details and their small copies; 1 for equal pixels."""
    is_mirrored: bool = False


def digests(split: Split, cancelled: CancelFunction) -> list[bytes]:
    """A hash of each image's pixels."""
    found = []
    for chunk in split.chunks():
        raise_if_cancelled(cancelled)
        found += [hashlib.blake2b(image.data, digest_size=16).digest() for image in chunk]
    return found


def equal_images(found: Sequence[bytes]) -> list[list[int]]:
    """The rows of equal images, in groups of two and more."""
    groups: dict[bytes, list[int]] = {}
    for row, digest in enumerate(found):
        groups.setdefault(digest, []).append(row)
    return [rows for rows in groups.values() if len(rows) > 1]


def similar_images(
    images: SmallImages,
    others: SmallImages,
    text: str,
    progress: ProgressFunction,
    cancelled: CancelFunction,
) -> list[Pair]:
    """The images of which some of `others` look like copies, the most similar first.

    If both are the same, each pair is found once, and no image with itself. Raises Cancelled.
    """
    is_same = images is others
    best: dict[tuple[int, int], Pair] = {}
    total = len(images.gray)
    for start in range(0, total, _BLOCK):
        raise_if_cancelled(cancelled)
        rows = np.arange(start, min(start + _BLOCK, total))
        for is_mirrored in (False, True):
            for pair in _pairs(images, others, rows, is_mirrored, is_same):
                key = (min(pair.row, pair.other), max(pair.row, pair.other)) if is_same else None
                key = key or (pair.row, pair.other)
                if key not in best or best[key].score < pair.score:
                    best[key] = pair
        done = min(start + _BLOCK, total)
        progress(Progress(done, total, f"{text}: {done:,} of {total:,} images"))
    return sorted(best.values(), key=lambda pair: -pair.score)[:_MAX_PAIRS]


def _pairs(
    images: SmallImages, others: SmallImages, rows: Rows, is_mirrored: bool, is_same: bool
) -> Iterator[Pair]:
    thumbnails, gray = images.thumbnails[rows], images.gray[rows]
    if is_mirrored:
        thumbnails = thumbnails.reshape(len(rows), 8, 8, 3)[:, :, ::-1].reshape(len(rows), -1)
        gray = gray[:, :, ::-1]
    candidates, similarity = _most_similar(thumbnails, others.thumbnails, rows if is_same else None)
    # Both have to agree.
    scores = np.minimum(similarity, _agreement(gray, others.gray, candidates))
    for index, column in zip(*np.nonzero(scores >= THRESHOLD), strict=True):
        other = int(candidates[index, column])
        if not is_same or other != rows[index]:
            yield Pair(int(rows[index]), other, float(scores[index, column]), is_mirrored)


def _most_similar(thumbnails: Floats, others: Floats, own: Rows | None) -> tuple[Rows, Floats]:
    """The rows of the most similar ones of `others`, intp (n, k), and how similar: float32 (n, k).

    `own` are the rows of the thumbnails themselves in `others`, which do not count. A part of `others` at a
    time, so that the memory does not grow with their number.
    """
    best = np.empty((len(thumbnails), 0), np.intp)
    scores = np.empty((len(thumbnails), 0), np.float32)
    for start in range(0, len(others), _COLUMNS):
        part = thumbnails @ others[start : start + _COLUMNS].T
        if own is not None:
            inside = (own >= start) & (own < start + part.shape[1])
            part[np.flatnonzero(inside), own[inside] - start] = -1
        found = np.broadcast_to(np.arange(start, start + part.shape[1]), part.shape)
        best, scores = np.hstack([best, found]), np.hstack([scores, part])
        if scores.shape[1] > _CANDIDATES:
            chosen = np.argpartition(scores, -_CANDIDATES, axis=1)[:, -_CANDIDATES:]
            best = np.take_along_axis(best, chosen, axis=1)
            scores = np.take_along_axis(scores, chosen, axis=1)
    return best, scores


def _agreement(gray: Grays, others: Grays, candidates: Rows) -> Floats:
    """The correlation of the details of each image and its candidates: float32 (n, candidates)."""
    unique, places = np.unique(candidates, return_inverse=True)
    details = _details(others[unique])[places.reshape(candidates.shape)]
    agreement: Floats = np.einsum("nd,nkd->nk", _details(gray), details)
    return agreement


def _details(gray: Grays) -> Floats:
    """What differs from the surroundings, but for the finest grain: float32 (n, pixels), of length 1."""
    images = gray.astype(np.float32)
    flat = _box(images - _box(images, 5), 3).reshape(len(images), -1)
    flat -= flat.mean(axis=1, keepdims=True)
    length = np.linalg.norm(flat, axis=1, keepdims=True)
    # Without any detail there is nothing to compare; equal pixels are found otherwise.
    return np.where(length > 1, flat / np.maximum(length, 1), np.float32(0))


def _box(images: Floats, side: int) -> Floats:
    """The mean of each pixel's surroundings, of `side` × `side` pixels."""
    margin = side // 2
    padded = np.pad(images, ((0, 0), (margin, margin), (margin, margin)), mode="edge")
    rows, columns = np.zeros_like(padded[:, : images.shape[1]]), np.zeros_like(images)
    for shift in range(side):
        rows += padded[:, shift : shift + images.shape[1]]
    for shift in range(side):
        columns += rows[:, :, shift : shift + images.shape[2]]
    columns /= side**2
    return columns
