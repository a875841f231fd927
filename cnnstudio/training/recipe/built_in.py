"""The built-in recipes, by name, and what each is for.

The docstring of a recipe says where its values are from.
"""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType

from cnnstudio.training.recipe.recipe import Recipe

LESSON = Recipe("lesson")
"""Exactly the lesson: Adam, batches of 32, 10 epochs, validation on the test set, no augmentation."""

STUDIO = Recipe(
    "studio",
    epochs=8,
    batch_size=128,
    optimizer="sgd",
    learning_rate=0.05,
    schedule="one_cycle",
    warm_up=0.15,
    weight_decay=0.0005,
    label_smoothing=0.1,
    flip="random",
    shift=2,
    average_decay=0.99,
    validation_share=0.05,
    precision="auto",
)
"""The best recipe found for the lesson's network on a CPU.

While the learning rate is high, the moving average of the weights is far better than the weights; at the end
they are equal. A learning rate that falls early has the same effect. Together they reach after two epochs
what otherwise takes four.
"""

FAST_GPU = Recipe(
    "fast-gpu",
    epochs=10,
    batch_size=1024,
    optimizer="sgd",
    learning_rate=1.5,
    momentum=0.85,
    weight_decay=0.00133,
    norm_bias_rate=64.0,
    schedule="linear",
    warm_up=0.23,
    warm_up_start=0.2,
    final_rate=0.07,
    label_smoothing=0.2,
    flip="alternating",
    shift=2,
    lookahead=True,
    test_time_flip=True,
    precision="auto",
)
"""The recipe of airbench94 (Jordan 2024, cifar10-airbench), for the template of that name on a GPU.

Its learning rate of 11.5 for 1,024 images is divided by 1 + 1 / (1 - momentum); it sums the losses of a batch
where the mean is taken here, so 1.5 is the same. Differences: its 9.9 epochs are rounded up, the bias of the
whitening trains to the end, normalization biases do not decay, and images are not shifted at test time.
"""

FAST_CPU = FAST_GPU.replace(
    name="fast-cpu",
    epochs=4,
    batch_size=256,
    optimizer="muon",
    learning_rate=0.015,
    momentum=LESSON.momentum,
    weight_decay=0.1,
    norm_bias_rate=1.0,
    validation_share=0.02,
)
"""For the template airbench-small on a CPU.

All but the optimizer is from airbench94 (`FAST_GPU`): within few epochs Muon gets further than SGD.
"""

PRETRAINED = Recipe(
    "pretrained",
    epochs=12,
    batch_size=128,
    optimizer="adamw",
    learning_rate=0.003,
    weight_decay=0.01,
    schedule="cosine",
    label_smoothing=0.1,
    validation_share=0.1,
    precision="auto",
    batch_norm_statistics="kept",
    test_time_flip=True,
)
"""For a new last layer on a network that is locked up to there.

Without augmentation, so that what the locked layers compute is computed once per image.
"""

FINE_TUNE = PRETRAINED.replace(
    name="fine-tune",
    epochs=8,
    batch_size=32,
    learning_rate=0.0002,
    warm_up=0.1,
    flip="random",
    feature_copies=2,
)
"""For the second stage, with the last blocks unlocked: a low rate, so that they keep what they know."""

FEW_IMAGES = PRETRAINED.replace(
    name="few-images",
    epochs=20,
    batch_size=32,
    warm_up=0.1,
    unlock_after=8,
    unlock_groups=4,
    unlock_rate=0.17,
    flip="alternating",
    feature_copies=2,
)
"""Two stages for some hundred images, with more groups in the second.

Statistics of small batches would disturb what the groups know. The copies are each image and its mirror
image; with four random crops of each, or with twice the rate in the second stage, fewer were recognized.
"""

MANY_IMAGES = PRETRAINED.replace(
    name="many-images",
    epochs=10,
    batch_size=64,
    warm_up=0.1,
    unlock_after=1,
    unlock_groups=0,
    unlock_rate=0.33,
    validation_share=0.05,
    batch_norm_statistics="batch",
    flip="random",
    shift=2,
)
"""One epoch for the last layer, then all layers, for thousands of images of each class.

So many images are enough to change all that the network knows, also to what small images look like: enlarged
less (`design.small_images.enlarge_less`), it learns as well in a third of the time.
"""

RECIPES: Mapping[str, Recipe] = MappingProxyType(
    {
        "studio": STUDIO,
        "lesson": LESSON,
        "fast-cpu": FAST_CPU,
        "fast-gpu": FAST_GPU,
        "pretrained": PRETRAINED,
        "few-images": FEW_IMAGES,
        "many-images": MANY_IMAGES,
        "fine-tune": FINE_TUNE,
    }
)
"""By name; the default first."""

PURPOSES: Mapping[str, str] = MappingProxyType(
    {
        "studio": "Best for the lesson's network on a CPU",
        "lesson": "Exactly the lesson: Adam, batches of 32, 10 epochs",
        "fast-cpu": "For the template airbench-small on a CPU: high accuracy in few epochs",
        "fast-gpu": "For the template airbench94 on a GPU",
        "pretrained": "For pretrained networks: the last layer; the rest stays locked",
        "few-images": "For pretrained networks and few images: the last layers",
        "many-images": "For pretrained networks and 1,000 images per class: all layers",
        "fine-tune": "For pretrained networks, after “pretrained”: unlocked layers",
    }
)
"""What each recipe is for, in a line that the list of recipes has room for."""
