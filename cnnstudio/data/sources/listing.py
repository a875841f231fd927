"""The image files of a data set by class and split, unopened."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from cnnstudio.data.class_sizes import describe_unequal_sizes
from cnnstudio.data.dataset import DataError
from cnnstudio.data.sources.folder_layout import Classes, Layout, Question

Files = tuple[tuple[str, int], ...]


@dataclass(frozen=True)
class Listing:
    """The image files of a data set as (path, class index), unopened.

    `test` and `validation` are None where it has no such images. Paths are strings, which take a third of
    the memory of `Path` objects: there may be millions.
    """

    classes: tuple[str, ...]
    train: Files
    test: Files | None
    validation: Files | None = None
    notes: tuple[str, ...] = ()
    """Sentences about how the files were understood."""
    question: Question | None = None
    """What their names do not tell for certain; the user may have answered it."""
    unlabeled: tuple[str, ...] = ()
    """The paths of folders whose images have no classes, and are in no split."""

    @property
    def parts(self) -> dict[str, Files]:
        """The files of each split that the data set has, by the split's name."""
        found = {"train": self.train, "test": self.test, "validation": self.validation}
        return {part: files for part, files in found.items() if files is not None}

    @property
    def files(self) -> Files:
        """All files in the order of `parts`."""
        return tuple(file for files in self.parts.values() for file in files)

    @property
    def all_notes(self) -> tuple[str, ...]:
        """The notes, with what was assumed where the names do not tell."""
        return (*self.notes, *_question_notes(self.question))

    def unequal_sizes(self) -> str:
        """A sentence without its period if the classes are far apart in size; else empty."""
        counts = Counter(label for _, label in self.train)
        return describe_unequal_sizes({name: counts[label] for label, name in enumerate(self.classes)})

    def balance_notes(self) -> Iterator[str]:
        """What a recipe offers for classes that are far apart in size. A training says it itself."""
        unequal = self.unequal_sizes()
        if unequal:
            yield (
                f"{unequal}: with balanced class weights (class_weights in the recipe), all classes count "
                "the same."
            )


def make_listing(where: str, layout: Layout, notes: tuple[str, ...], remedy: str) -> Listing:
    """The listing of a layout. Raises DataError if it lacks images, naming it by `where`.

    `remedy` is what to do where all images are of one class.
    """
    train, test = layout.train, layout.test
    classes = sorted({*train, *(test or ())})
    if len(classes) == 1:
        raise DataError(f"{where} has only one class ({classes[0]}): {remedy}.")
    for part, present in (("training", train), ("test", test)):
        if present is not None and (missing := [name for name in classes if name not in present]):
            raise DataError(
                f"{where} has no {part} images of class {missing[0]}: add some or remove the class."
            )

    def labeled(part: Classes | None) -> Files | None:
        if part is None:
            return None
        return tuple((path, label) for label, name in enumerate(classes) for path in part.get(name, ()))

    return Listing(
        tuple(classes),
        labeled(train) or (),
        labeled(test),
        labeled(layout.validation),
        notes,
        layout.question,
        layout.unlabeled,
    )


def _question_notes(question: Question | None) -> Iterator[str]:
    """What was assumed."""
    if question is not None and not question.is_answered:
        yield (
            f"{question.text}. Assumed: {dict(question.answers)[question.assumed]}. "
            "If that is wrong, add the folder with another layout."
        )
