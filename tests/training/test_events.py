"""Events as JSON, as run folders store them."""

from __future__ import annotations

import json

import numpy as np
import pytest

from cnnstudio.training.events import (
    EpochEnded,
    Event,
    EventError,
    Finished,
    Paused,
    Progress,
    Resumed,
    Scores,
    SnapshotTaken,
    Started,
    Warned,
    event_from_json,
)

EVENTS: list[Event] = [
    Started(
        "20260101-000000-a", "A", 122_570, "cpu", 2, 10, 1563, 32, 50_000, 10_000, ("cat", "dog"), "test"
    ),
    Progress(4, 20, 0.2, (2.3, 2.25), (0.125, 0.25), 3, 1900.0, 0.001, 3.5, 14.0),
    Progress(4, 20, 0.2, (), (), 5, 0.0, 0.001, 3.5, None),
    EpochEnded(1, Scores(1.5, 0.4), Scores(1.4, 0.5), 1900.0, 0.001, 26.0, True),
    SnapshotTaken(4, 0.2, "feature_maps"),
    Warned("The batch is larger than the set."),
    Paused(4),
    Resumed(4),
    Finished("completed", "", Scores(1.2, 0.6), 260.0, "folder", 7),
    Finished("failed", "why", None, 1.0, None, None),
    Progress(4, 20, 0.2, (2.3,), (0.125,), 4, 1900.0, 0.001, 3.5, None, gradient_norm=1.5),
    Resumed(4, seconds=40.5),
]


@pytest.mark.parametrize("event", EVENTS, ids=lambda event: type(event).__name__)
def test_an_event_survives_a_json_round_trip(event: Event) -> None:
    assert event_from_json(json.loads(json.dumps(event.to_json()))) == event


def test_the_json_keys_are_the_contracted_ones() -> None:
    ended = EpochEnded(1, Scores(1.5, 0.4), Scores(1.4, 0.5), 1900.0, 0.001, 26.0, True).to_json()
    assert ended["event"] == "EpochEnded"
    assert ended["train"] == {"loss": 1.5, "accuracy": 0.4}
    assert {"epoch", "validation", "images_per_second", "learning_rate", "seconds"} <= set(ended)
    finished = Finished("stopped", "", None, 2.0, "folder", 1).to_json()
    assert {"outcome", "test", "seconds", "run"} <= set(finished)


def test_the_payload_of_a_snapshot_is_not_in_json() -> None:
    assert "payload" not in SnapshotTaken(1, 0.1, "feature_maps", np.zeros(3)).to_json()


def test_integers_are_accepted_as_floats() -> None:
    content = EVENTS[3].to_json() | {"seconds": 26, "train": {"loss": 2, "accuracy": 1}}
    event = event_from_json(content)
    assert isinstance(event, EpochEnded)
    assert (event.seconds, event.train) == (26.0, Scores(2.0, 1.0))


def test_unknown_keys_of_a_later_version_are_ignored() -> None:
    assert event_from_json({"event": "Paused", "step": 3, "mood": "good"}) == Paused(3)


@pytest.mark.parametrize(
    "content",
    [
        None,
        [],
        {},
        {"event": "Exploded"},
        {"event": []},
        {"event": "Paused"},
        {"event": "Paused", "step": {}},
        {"event": "Paused", "step": True},
        {"event": "Paused", "step": 1.5},
        {"event": "Warned", "message": ["a"]},
        EVENTS[0].to_json() | {"classes": ["cat", 2]},
        EVENTS[0].to_json() | {"validation": "none"},
        EVENTS[1].to_json() | {"losses": [1.0, None]},
        EVENTS[1].to_json() | {"seconds": None},
        EVENTS[1].to_json() | {"seconds": 10**400},
        EVENTS[3].to_json() | {"validation": 5},
        EVENTS[3].to_json() | {"train": {"loss": 1.0}},
        EVENTS[3].to_json() | {"train": {"loss": "1", "accuracy": 0.5}},
        EVENTS[8].to_json() | {"test": []},
    ],
)
def test_invalid_events_are_refused(content: object) -> None:
    with pytest.raises(EventError):
        event_from_json(content)
