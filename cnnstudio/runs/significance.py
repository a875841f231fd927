"""How far results differ by chance, and whether two differ by more.

The same design trained again with another seed ends elsewhere: other first weights, another order of the
images. Seeds alone move results as much as many a published improvement does (Bouthillier et al.,
Accounting for Variance in Machine Learning Benchmarks, 2021). A difference is called real where so large a
one would come by chance in fewer than one case in twenty. The tests are Welch's t-test for several runs of
both (Welch, The Generalization of Student's Problem when Several Different Population Variances are
Involved, Biometrika 1947), Student's with one deviation for both where there is a single run of one, and
the two-proportion test for single runs, which knows the chance in the choice of the test images alone.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import mean, stdev
from typing import Any

LEVEL = 0.05
"""Of chance, below which a difference is called real."""

_PRECISION = 1e-12
_TINY = 1e-300


@dataclass(frozen=True)
class Spread:
    """Results of the same training with several seeds."""

    values: tuple[float, ...]

    @property
    def mean(self) -> float:
        return mean(self.values)

    @property
    def deviation(self) -> float | None:
        """The standard deviation from one run to another; None for a single run."""
        return stdev(self.values) if len(self.values) > 1 else None

    def to_json(self) -> dict[str, Any]:
        return {"mean": self.mean, "deviation": self.deviation, "values": list(self.values)}


@dataclass(frozen=True)
class Verdict:
    """Whether the second result differs from the first by more than chance."""

    difference: float
    """The second mean less the first."""
    probability: float
    """Of so large a difference by chance alone."""
    test: str

    @property
    def is_real(self) -> bool:
        return self.probability < LEVEL

    def to_json(self) -> dict[str, Any]:
        return {
            "difference": self.difference,
            "probability": self.probability,
            "larger_than_noise": self.is_real,
            "test": self.test,
        }


def compare(first: Spread, second: Spread, images: int) -> Verdict:
    """Compares accuracies on a test set of so many images, by the test that there are runs enough for."""
    counts = len(first.values), len(second.values)
    if min(counts) > 1:
        return Verdict(second.mean - first.mean, _welch(first, second), "Welch's t-test")
    if max(counts) > 1:
        return Verdict(second.mean - first.mean, _one_deviation(first, second), "Student's t-test")
    return Verdict(second.mean - first.mean, _proportions(first, second, images), "two-proportion test")


def _welch(first: Spread, second: Spread) -> float:
    """With the degrees of freedom of Welch and Satterthwaite."""
    shares = [(each.deviation or 0.0) ** 2 / len(each.values) for each in (first, second)]
    difference = second.mean - first.mean
    if not sum(shares):
        return 1.0 if difference == 0 else 0.0
    parts = [share**2 / (len(each.values) - 1) for share, each in zip(shares, (first, second), strict=True)]
    return student_tails(difference / math.sqrt(sum(shares)), sum(shares) ** 2 / sum(parts))


def _one_deviation(first: Spread, second: Spread) -> float:
    """The deviation of the one that has several runs holds for both."""
    known = first if first.deviation is not None else second
    difference, count = second.mean - first.mean, len(known.values)
    error = (known.deviation or 0.0) * math.sqrt(1 + 1 / count)
    if not error:
        return 1.0 if difference == 0 else 0.0
    return student_tails(difference / error, count - 1)


def _proportions(first: Spread, second: Spread, images: int) -> float:
    """Both answered the same number of images, of which a share was right."""
    share = (first.mean + second.mean) / 2
    error = math.sqrt(2 * share * (1 - share) / max(images, 1))
    difference = second.mean - first.mean
    if not error:
        return 1.0 if difference == 0 else 0.0
    return math.erfc(abs(difference) / error / math.sqrt(2))


def student_tails(t: float, freedom: float) -> float:
    """The probability that Student's t is beyond ±t (Digital Library of Mathematical Functions, 8.17)."""
    return _incomplete_beta(freedom / 2, 0.5, freedom / (freedom + t * t))


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function, by its continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    logarithm = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(logarithm) * _fraction(a, b, x) / a


def _fraction(a: float, b: float, x: float) -> float:
    """By Lentz's method, until it no longer changes."""
    upper, lower = 1.0, 1 / _kept(1 - (a + b) * x / (a + 1))
    result = lower
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = 1.0
        for term in (even, odd):
            lower, upper = 1 / _kept(1 + term * lower), _kept(1 + term / upper)
            change *= lower * upper
        result *= change
        if abs(change - 1) < _PRECISION:
            break
    return result


def _kept(value: float) -> float:
    """Away from 0, by which would be divided."""
    return value if abs(value) > _TINY else _TINY


def in_words(spread: Spread) -> str:
    """`65.2 ± 1.1 %`, and without the deviation for a single run."""
    if spread.deviation is None:
        return f"{100 * spread.mean:.1f}%"
    return f"{100 * spread.mean:.1f} ± {100 * spread.deviation:.1f}%"


def sentence(
    first: Spread, second: Spread, verdict: Verdict, more: str = "--seeds 5", which: str = "second accuracy"
) -> str:
    """What the comparison of two accuracies says, for people.

    `more` is how to train with more seeds, `which` what the second one is called.
    """
    points = f"{100 * abs(verdict.difference):.1f} points"
    way = "higher" if verdict.difference > 0 else "lower"
    size = f"The {which} is {points} {way}" if verdict.difference else "Both accuracies are the same"
    runs = _runs(first, second)
    chance = f"p = {verdict.probability:.2g}, {verdict.test}, {runs}"
    answer = "larger than the noise" if verdict.is_real else "not larger than the noise"
    said = f"{size}: {answer} ({chance})."
    if len(first.values) == len(second.values) == 1:
        return f"{said} Seeds differ too, which single runs cannot show: train both with {more}."
    return said


def _runs(first: Spread, second: Spread) -> str:
    counts = len(first.values), len(second.values)
    return f"{counts[0]} and {counts[1]} {'runs' if max(counts) > 1 else 'run'}"
