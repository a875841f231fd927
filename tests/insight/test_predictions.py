"""Evaluation and predictions of a model."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from cnnstudio.core.progress import Cancelled, Progress
from cnnstudio.data.dataset import Split
from cnnstudio.insight import predictions
from cnnstudio.insight.predictions import evaluate, predict
from cnnstudio.training.model import Model, build_model
from tests.training.images import colors
from tests.training.networks import tiny

DATA = colors(test=50)
SPLIT, CLASSES = DATA.test, DATA.classes


@pytest.fixture
def model(monkeypatch: pytest.MonkeyPatch) -> Model:
    monkeypatch.setattr(predictions, "evaluation_batch_size", lambda analysis, device: 16)
    model = build_model(tiny())
    model.set_normalization([0.4, 0.4, 0.4], [0.2, 0.2, 0.2])
    return model.train()


def logits(model: Model) -> torch.Tensor:
    with torch.no_grad():
        found = model.eval()(model.normalize(SPLIT.images))
    model.train()
    return found


def test_evaluation_counts_every_image_once(model: Model) -> None:
    found = evaluate(model, SPLIT, CLASSES)
    scores, labels = logits(model), torch.tensor(SPLIT.labels)
    assert found.loss == pytest.approx(torch.nn.functional.cross_entropy(scores, labels).item(), rel=1e-5)
    assert found.accuracy == int((scores.argmax(1) == labels).sum()) / 50
    assert found.confusion.support.tolist() == [17, 17, 16]
    assert (
        found.confusion.counts.sum(axis=0).tolist() == torch.bincount(scores.argmax(1), minlength=3).tolist()
    )
    correct = [int(((scores.argmax(1) == labels) & (labels == label)).sum()) for label in range(3)]
    assert found.confusion.recall == pytest.approx([correct[0] / 17, correct[1] / 17, correct[2] / 16])
    assert model.training


def test_a_class_without_images_has_no_accuracy(model: Model) -> None:
    few = Split(SPLIT.images[:2], SPLIT.labels[:2])
    assert np.isnan(evaluate(model, few, CLASSES).confusion.recall[2])


def test_evaluation_reports_progress_and_can_be_cancelled(model: Model) -> None:
    reports: list[Progress] = []
    evaluate(model, SPLIT, CLASSES, reports.append)
    assert [(report.done, report.total) for report in reports] == [(16, 50), (32, 50), (48, 50), (50, 50)]
    with pytest.raises(Cancelled):
        evaluate(model, SPLIT, CLASSES, reports.append, lambda: len(reports) > 5)
    assert len(reports) == 6
    assert model.training


def test_probabilities_are_the_softmax_of_the_logits(model: Model) -> None:
    found = predict(model, SPLIT.images)
    assert found.shape == (50, 3)
    np.testing.assert_allclose(found.sum(axis=1), 1, rtol=1e-5)
    np.testing.assert_allclose(found, logits(model).softmax(1).numpy(), rtol=1e-4, atol=1e-6)
