"""How the subfolders of a folder of images are meant: as splits, as classes, or as both.

People keep images in many ways: `train/<class>/…`, `training_set/training_set/<class>/…`, `<class>/…`,
`<class>/train/…`, one level higher than expected, or with classes inside of larger classes. What is
certain is used; what is only likely comes with a `Question`, which the window asks, and which
the command line notes.
"""

from __future__ import annotations

import dataclasses
import os
import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Literal, get_args

from cnnstudio.core.formatting import join_words, pluralize
from cnnstudio.data.sources.folder_scan import FolderScan, Parts

Reading = Literal["splits", "folders", "subfolders"]
"""The folders are splits; or they are the classes; or their subfolders are."""
READINGS: tuple[Reading, ...] = get_args(Reading)

Role = Literal["train", "validation", "test"]
Classes = dict[str, list[str]]
"""Class -> the paths of its images."""

_ROLE_WORDS: Mapping[str, Role] = {
    **dict.fromkeys(("train", "training", "trainset"), "train"),
    **dict.fromkeys(("val", "valid", "validation", "validate", "dev"), "validation"),
    **dict.fromkeys(("test", "testing", "testset", "eval", "evaluation"), "test"),
}
_WORD = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")
_MAX_WRAPPERS = 4
_MIN_COMMON = 0.5
"""Folders with at least this share of their class folders in common hold the same classes."""
_MAX_SPLITS = 3
_MAX_NAMED = 3


@dataclass(frozen=True)
class Question:
    """What the names do not tell for certain."""

    text: str
    """What was found, as a sentence."""
    assumed: Reading
    answers: tuple[tuple[Reading, str], ...]
    """Each possible reading with what it means, as a phrase."""
    is_answered: bool = False
    """Whether the user has chosen what is assumed."""


@dataclass(frozen=True)
class Layout:
    """The classes of each split, by name. Without a test split, some training images become one."""

    train: Classes
    test: Classes | None = None
    validation: Classes | None = None
    notes: tuple[str, ...] = ()
    question: Question | None = None
    unlabeled: tuple[str, ...] = ()
    """The paths of folders of images without classes, such as the test images of a competition."""


def find_layout(scan: FolderScan, reading: Reading | None = None) -> Layout:
    """The most likely layout, or the one that the user chose. Its splits may be empty."""
    base, notes = _skip_wrappers(scan)
    children = scan.children(base)
    if scan.own(base) and children:
        count = pluralize(scan.own(base), "image")
        notes.append(f"{count} outside of the class folders {_are(scan.own(base))} not used.")
    layout = _layout_as(scan, base, children, reading)
    question = layout.question
    if reading is not None:
        # The user may choose again.
        asked = _layout_as(scan, base, children, None).question
        question = asked and dataclasses.replace(asked, assumed=reading, is_answered=True)
    return dataclasses.replace(layout, notes=(*notes, *layout.notes), question=question)


def _layout_as(
    scan: FolderScan, base: Parts, children: Mapping[str, set[str]], reading: Reading | None
) -> Layout:
    if reading == "folders":
        return Layout(scan.grouped(base))
    if reading == "subfolders":
        return Layout(_by_subfolder(scan, base, children))
    return _named_splits(scan, base, children) or _unnamed_splits(scan, base, children, reading)


def role_of(name: str) -> Role | None:
    """What a folder's name says of its images: `seg_train`, `TrainImages` and `training_set` are training."""
    roles = {_ROLE_WORDS[word.lower()] for word in _WORD.findall(name) if word.lower() in _ROLE_WORDS}
    return roles.pop() if len(roles) == 1 else None


def _skip_wrappers(scan: FolderScan) -> tuple[Parts, list[str]]:
    """The folder with the splits or classes: the given one, or one that it holds alone."""
    base: Parts = ()
    for _ in range(_MAX_WRAPPERS):
        children = scan.children(base)
        if len(children) != 1 or scan.own(base):
            break
        ((name, inner),) = children.items()
        # A training folder alone is a split, and a folder without subfolders is a class.
        if (role_of(name) and len(inner) != 1) or not inner:
            break
        base = (*base, name)
    return base, [f"The images are in {'/'.join(base)}."] if base and not role_of(base[-1]) else []


def _named_splits(scan: FolderScan, base: Parts, children: Mapping[str, set[str]]) -> Layout | None:
    """Splits by their names, if one is of training images and has class folders."""
    roles = {name: role_of(name) for name in children}
    trains = [name for name, role in roles.items() if role == "train" and children[name]]
    if not trains:
        return None
    train = _plainest(trains)
    classes = _classes(scan, (*base, train))
    found: dict[Role, Classes] = {"train": classes}
    sources: dict[Role, str] = {"train": train}
    notes, unlabeled = [], []
    for name in sorted(children, key=_plainness):
        role = roles[name]
        if name == train:
            continue
        own = _classes(scan, (*base, name))
        images = pluralize(scan.count((*base, name)), "image")
        if role is None or role in found:
            notes.append(f"The {images} in {name} are not used.")
        elif len(own) <= 1 and not _common(own, classes):
            notes.append(
                f"The {images} in {name} have no class folders, so they cannot be used to "
                f"{'validate' if role == 'validation' else 'test'}."
            )
            unlabeled.append(os.path.join(scan.root, *base, name))
        else:
            found[role], sources[role] = own, name
    return dataclasses.replace(with_splits(found, sources, notes), unlabeled=tuple(unlabeled))


def _unnamed_splits(
    scan: FolderScan, base: Parts, children: Mapping[str, set[str]], reading: Reading | None
) -> Layout:
    """Splits by what they hold, where two or three folders have the same class folders; or else classes."""
    if children and all(
        len(inner) > 1 and all(map(role_of, inner)) and not scan.own((*base, name))
        for name, inner in children.items()
    ):
        return _splits_in_classes(scan, base, children)
    if all(role_of(name) and not inner for name, inner in children.items()):
        return Layout({})  # images in train and test, but not of which class
    own = {name: _classes(scan, (*base, name)) for name in children} if len(children) <= _MAX_SPLITS else {}
    same = len(own) >= 2 and all(
        len(classes) > 1 and not scan.own((*base, name)) for name, classes in own.items()
    )
    first = next(iter(own.values()), {})
    same = same and all(_have_same_classes(first, classes) for classes in own.values())
    dates = all(re.fullmatch(r"[\d\W_]{4,}", name) for name in first)
    if (reading == "splits" and own) or (same and not dates):
        return _guessed_splits(scan, base, own, first)
    return _classes_with_question(scan, base, children)


def _guessed_splits(
    scan: FolderScan, base: Parts, own: Mapping[str, Classes], first: Iterable[str]
) -> Layout:
    """Roles by name where names tell, and otherwise by size: the largest is for training."""
    by_size = sorted(own, key=lambda name: (-scan.count((*base, name)), name))
    sources: dict[Role, str] = {}
    for name in by_size:
        role = role_of(name)
        if role is not None:
            sources.setdefault(role, name)
    is_certain = len(sources) == len(own) - 1 and "train" not in sources
    roles: tuple[Role, ...] = ("train", "test", "validation")
    for name in by_size:
        if name not in sources.values():
            sources[next(role for role in roles if role not in sources)] = name
    layout = with_splits({role: own[name] for role, name in sources.items()}, sources, [])
    if is_certain:
        return layout
    uses = [f"{sources[role]} for {_USES[role]}" for role in roles if role in sources]
    question = Question(
        f"{join_words(sorted(own))} hold the same class folders",
        "splits",
        (
            ("splits", join_words(uses)),
            ("subfolders", f"{_named(first)} are the classes, and {join_words(sorted(own))} belong together"),
            ("folders", f"{join_words(sorted(own))} are the classes"),
        ),
    )
    return dataclasses.replace(layout, question=question)


def _splits_in_classes(scan: FolderScan, base: Parts, children: Mapping[str, set[str]]) -> Layout:
    """`<class>/train/…` and `<class>/test/…`."""
    found: dict[Role, Classes] = {}
    sources: dict[Role, str] = {}
    for name in children:
        for inner, paths in scan.grouped((*base, name)).items():
            role = role_of(inner)
            assert role is not None
            found.setdefault(role, {}).setdefault(name, []).extend(paths)
            sources[role] = inner
    if "train" not in found:
        return _classes_with_question(scan, base, children)
    return with_splits(found, sources, [])


def _classes_with_question(scan: FolderScan, base: Parts, children: Mapping[str, set[str]]) -> Layout:
    """Each folder is a class; a question if some of them seem to be groups of classes."""
    groups = {
        name: inner for name, inner in children.items() if len(inner) > 1 and not scan.own((*base, name))
    }
    layout = Layout(scan.grouped(base))
    inner = sorted({each for names in groups.values() for each in names})
    if not groups or all(re.fullmatch(r"[\d\W_]+", each) for each in inner):
        return layout
    question = Question(
        f"{_named(groups)} {'hold' if len(groups) > 1 else 'holds'} folders in turn",
        "folders",
        (
            ("folders", f"{_named(children)} are the classes"),
            ("subfolders", f"{_named(_by_subfolder(scan, base, children))} are the classes"),
        ),
    )
    return dataclasses.replace(layout, question=question)


def with_splits(found: Mapping[Role, Classes], sources: Mapping[Role, str], notes: list[str]) -> Layout:
    """A layout of those splits; validation images serve as test images where there are no others."""
    train = found["train"]
    validation, test = found.get("validation"), found.get("test")
    if test is None and validation is not None:
        notes = [*notes, f"The images in {sources['validation']} are the test set: there is no other."]
        validation, test = None, validation
    parts = [_spelled_like(train, part) if part is not None else None for part in (test, validation)]
    if parts[1] is not None:
        unknown = [name for name in parts[1] if name not in train]
        if unknown:
            notes = [
                *notes,
                f"No training image is of class {unknown[0]}: its validation images are not used.",
            ]
        parts[1] = {name: paths for name, paths in parts[1].items() if name in train}
    return Layout(train, parts[0], parts[1], tuple(notes))


_USES: Mapping[Role, str] = {"train": "training", "validation": "validation", "test": "testing"}


def _classes(scan: FolderScan, parts: Parts) -> Classes:
    """The class folders of a split, also where they are in a folder of its own: seg_train/seg_train."""
    children = scan.children(parts)
    while len(children) == 1 and not scan.own(parts):
        ((name, inner),) = children.items()
        if len(inner) < 2 or scan.own((*parts, name)):
            break
        parts = (*parts, name)
        children = scan.children(parts)
    return scan.grouped(parts)


def _by_subfolder(scan: FolderScan, base: Parts, children: Mapping[str, set[str]]) -> Classes:
    """The subfolders as classes, those of one name together; a folder with images of its own is a class."""
    found: Classes = {}
    for name, inner in children.items():
        parts = (*base, name)
        groups = scan.grouped(parts) if inner and not scan.own(parts) else {name: scan.grouped(base)[name]}
        for each, paths in groups.items():
            found.setdefault(each, []).extend(paths)
    return dict(sorted(found.items()))


def _plainest(names: Iterable[str]) -> str:
    """The most usual of several names of one split: train before train_small."""
    return min(names, key=_plainness)


def _plainness(name: str) -> tuple[bool, int, str]:
    return name.lower() not in _ROLE_WORDS, len(name), name


def _have_same_classes(first: Iterable[str], second: Iterable[str]) -> bool:
    one, other = ({name.casefold() for name in names} for names in (first, second))
    return len(one & other) >= max(2, _MIN_COMMON * len(one | other))


def _common(first: Iterable[str], second: Iterable[str]) -> set[str]:
    return {name.casefold() for name in first} & {name.casefold() for name in second}


def _spelled_like(train: Iterable[str], part: Classes) -> Classes:
    """The classes of a split under their names in the training split: Cat and cat are one class."""
    spelling = {name.casefold(): name for name in train}
    found: Classes = {}
    for name, paths in part.items():
        known = name if name in spelling.values() else spelling.get(name.casefold(), name)
        found.setdefault(known, []).extend(paths)
    return found


def _named(names: Iterable[str]) -> str:
    """The first few names."""
    every = list(names)
    if len(every) <= _MAX_NAMED:
        return join_words(every)
    return f"{', '.join(every[:_MAX_NAMED])} and {len(every) - _MAX_NAMED:,} more"


def _are(count: int) -> str:
    return "is" if count == 1 else "are"
