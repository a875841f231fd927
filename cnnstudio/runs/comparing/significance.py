"""Whether the results of two trainings differ by more than chance.

The same design trained with another seed gives another result: the initial weights and the order of the
images differ. Seeds alone change results as much as many published improvements do (Bouthillier et al.,
Accounting for Variance in Machine Learning Benchmarks, MLSys 2021). A difference is called significant if
that would happen by chance to fewer than 1 of 20 pairs of equal trainings, even where the result is looked at
again after each further seed: `significance_level` spends these 5% on all the looks together.

Which test fits depends on the number of runs:

- several of both: Welch's t-test (Welch, The Generalization of "Student's" Problem when Several Different
  Population Variances are Involved, Biometrika 1947), because a change of the design may change the spread
  too;
- one against several: Student's t-test with the standard deviation of the several for both, because a
  single run has none;
- one of each: the two-proportion z-test. It covers only the choice of the test images, and nothing of what
  another seed changes, so whatever it gives, the difference is not called significant.

Student's t distribution is computed here: SciPy would be a large dependency for one function.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property
from typing import Any

SIGNIFICANCE_LEVEL = 0.05
"""The share of pairs of equal trainings that are ever called different."""

_FIRST_LEVELS = {(1, 2): 0.003, (1, 3): 0.0195, (2, 2): 0.0475, (1, 4): 0.0099, (2, 3): 0.003}
"""The part of it for the first looks. Welch's test is careful with two runs of each, so it gets the most."""
_LATER_LEVEL, _LATER_LOOK, _LATER_POWER = 0.003, 4, 1.5
_WITH_TWO_RUNS = 0.3
"""Two runs against many say little more with each one of the many, so such looks get less."""

# Relative, of the continued fraction: far below what a p-value is rounded to. _TINY is far below any term, as
# the Lentz method requires.
_PRECISION = 1e-12
_TINY = 1e-300


@dataclass(frozen=True)
class SeedStatistics:
    """Results of the same training with several seeds, one value per run."""

    values: tuple[float, ...]

    @cached_property
    def mean(self) -> float:
        # From the first value on, so that the mean of equal values is exactly that value.
        first = self.values[0]
        return first + math.fsum(value - first for value in self.values) / len(self.values)

    @cached_property
    def std(self) -> float | None:
        """The sample standard deviation (divided by n - 1); None for a single run."""
        if len(self.values) < 2:
            return None
        mean = self.mean
        return math.sqrt(math.fsum((value - mean) ** 2 for value in self.values) / (len(self.values) - 1))

    def to_json(self) -> dict[str, Any]:
        return {"mean": self.mean, "deviation": self.std, "values": list(self.values)}


@dataclass(frozen=True)
class KnownSpread:
    """Results of a training with several seeds that tell how far seeds alone change results like these."""

    statistics: SeedStatistics
    source: str
    """What was trained: `one of these designs, with another recipe,`."""


@dataclass(frozen=True)
class TestResult:
    """The result of a significance test of two means."""

    __test__ = False  # pytest takes classes named Test… for tests

    difference: float
    """The second mean minus the first."""
    p_value: float
    """The two-sided probability of a difference at least as large if both came from the same distribution."""
    test: str
    """The name of the test."""
    level: float = SIGNIFICANCE_LEVEL
    """The difference is significant if the p-value is lower."""

    @property
    def is_significant(self) -> bool:
        return self.p_value < self.level

    def to_json(self) -> dict[str, Any]:
        return {
            "difference": self.difference,
            "probability": self.p_value,
            "larger_than_noise": self.is_significant,
            "test": self.test,
        }


def compare(first: SeedStatistics, second: SeedStatistics, images: int) -> TestResult:
    """Compares accuracies (0 to 1) on a test set of that many images, by the test that the runs allow."""
    difference = second.mean - first.mean
    counts = len(first.values), len(second.values)
    level = significance_level(*counts)
    if min(counts) > 1:
        return TestResult(difference, _welch(first, second), "Welch's t-test", level)
    if max(counts) > 1:
        return TestResult(difference, _student(first, second), "Student's t-test", level)
    return TestResult(difference, _two_proportions(first, second, images), "two-proportion test", level)


def significance_level(first: int, second: int) -> float:
    """The level for a comparison of that many runs with that many.

    Each run more is another look, and each look another chance of a false alarm. The levels are chosen by
    simulation so that, however the runs become more, fewer than `SIGNIFICANCE_LEVEL` of equal trainings ever
    raise one. Of one run each there is no level at which seeds could be told from a difference.
    """
    fewer, more = sorted((first, second))
    look = first + second - 2
    if look < 1:
        return 0.0
    later: float = (
        _LATER_LEVEL * (_LATER_LOOK / look) ** _LATER_POWER * (_WITH_TWO_RUNS if fewer == 2 else 1.0)
    )
    return _FIRST_LEVELS.get((fewer, more), later)


def _welch(first: SeedStatistics, second: SeedStatistics) -> float:
    """The p-value of Welch's t-test.

    t = (m2 - m1) / sqrt(s1²/n1 + s2²/n2), with the degrees of freedom of Welch and Satterthwaite:
    (s1²/n1 + s2²/n2)² / ((s1²/n1)²/(n1 - 1) + (s2²/n2)²/(n2 - 1)).
    """
    squared_errors = [(each.std or 0.0) ** 2 / len(each.values) for each in (first, second)]
    difference = second.mean - first.mean
    # All runs of each gave the same result, as may happen with few test images: t would be x / 0.
    if not sum(squared_errors):
        return _without_spread(difference)
    # One of the two may have no spread. Its term is then 0, and the degrees of freedom are those of the
    # other.
    terms = [
        squared_error**2 / (len(each.values) - 1)
        for squared_error, each in zip(squared_errors, (first, second), strict=True)
    ]
    t = difference / math.sqrt(sum(squared_errors))
    return student_t_two_sided(t, sum(squared_errors) ** 2 / sum(terms))


def _student(first: SeedStatistics, second: SeedStatistics) -> float:
    """The p-value of Student's t-test of one run against n.

    t = (m2 - m1) / (s · sqrt(1 + 1/n)), with n - 1 degrees of freedom: s is estimated from the n runs alone.
    """
    several = first if first.std is not None else second
    difference, count = second.mean - first.mean, len(several.values)
    error = (several.std or 0.0) * math.sqrt(1 + 1 / count)
    if not error:
        return _without_spread(difference)
    return student_t_two_sided(difference / error, count - 1)


def _two_proportions(first: SeedStatistics, second: SeedStatistics, images: int) -> float:
    """The p-value of the two-proportion z-test with the pooled proportion p, both of n images.

    z = (p2 - p1) / sqrt(2 p (1 - p) / n); the two-sided p-value is erfc(|z| / sqrt(2)). The test takes the
    two sets of images as independent. Here they are the same, which makes it conservative as far as the
    images go.
    """
    # Equal numbers of images, so that the pooled proportion is the plain mean.
    pooled = (first.mean + second.mean) / 2
    error = math.sqrt(2 * pooled * (1 - pooled) / max(images, 1))
    difference = second.mean - first.mean
    if not error:
        return _without_spread(difference)
    return math.erfc(abs(difference) / error / math.sqrt(2))


def _without_spread(difference: float) -> float:
    """The limit of the p-values for a standard error of 0."""
    return 1.0 if difference == 0 else 0.0


def student_t_two_sided(t: float, degrees_of_freedom: float) -> float:
    """The probability that Student's t is beyond ±t: I_x(v/2, 1/2) with x = v / (v + t²) (DLMF 8.17)."""
    v = degrees_of_freedom
    return _incomplete_beta(v / 2, 0.5, v / (v + t * t))


def _incomplete_beta(a: float, b: float, x: float) -> float:
    """The regularized incomplete beta function I_x(a, b), by its continued fraction (DLMF 8.17.22)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    # The fraction converges quickly below this bound; above it, I_x(a, b) = 1 - I_(1-x)(b, a) (DLMF 8.17.4).
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(b, a, 1 - x)
    # By logarithms, because the gamma function overflows above 171. log1p keeps the digits of the small x of
    # a large t.
    log_factor = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    return math.exp(log_factor) * _continued_fraction(a, b, x) / a


def _continued_fraction(a: float, b: float, x: float) -> float:
    """The continued fraction of the incomplete beta function, by the modified Lentz method.

    Two coefficients, of even and odd index, per iteration. Stops when the value no longer changes, usually
    after fewer than 100.
    """
    # Thompson and Barnett 1986; Press et al., Numerical Recipes, section 6.4. From front to back, so that the
    # number of terms need not be known before; c and d are the ratios of successive numerators and
    # denominators.
    c, d = 1.0, 1 / _nonzero(1 - (a + b) * x / (a + 1))
    result = d
    for m in range(1, 1000):
        even = m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m))
        odd = -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1))
        change = 1.0
        for coefficient in (even, odd):
            d, c = 1 / _nonzero(1 + coefficient * d), _nonzero(1 + coefficient / c)
            change *= d * c
        result *= change
        if abs(change - 1) < _PRECISION:
            break
    return result


def _nonzero(value: float) -> float:
    """Replaces values around 0, by which the Lentz method would divide."""
    return value if abs(value) > _TINY else _TINY


def format_accuracy(statistics: SeedStatistics) -> str:
    """`65.2 ± 1.1%`, and `65.2%` for a single run."""
    if statistics.std is None:
        return f"{100 * statistics.mean:.1f}%"
    return f"{100 * statistics.mean:.1f} ± {100 * statistics.std:.1f}%"


def describe_comparison(
    first: SeedStatistics,
    second: SeedStatistics,
    result: TestResult,
    more: str = "--seeds 5",
    which: str = "second accuracy",
    known: KnownSpread | None = None,
) -> str:
    """The comparison of two accuracies in a sentence or two.

    `more` names how to train with more seeds, `which` the second accuracy. `known` is for a comparison of
    one run of each, which has no spread of its own.
    """
    if len(first.values) == len(second.values) == 1:
        return _describe_single_runs(result, more, which, known)
    counts = _run_counts(first, second)
    evidence = f"p = {result.p_value:.2g}, significant below {result.level:.2g} for {counts}, {result.test}"
    if result.difference:
        points = f"{100 * abs(result.difference):.1f} points {'higher' if result.difference > 0 else 'lower'}"
        answer = "a significant difference" if result.is_significant else "not a significant difference"
        text = f"The {which} is {points}, {answer} ({evidence})."
    else:
        text = f"Both accuracies are the same ({evidence})."
    return text


def _describe_single_runs(result: TestResult, more: str, which: str, known: KnownSpread | None) -> str:
    if result.difference:
        points = f"{100 * abs(result.difference):.1f} points {'higher' if result.difference > 0 else 'lower'}"
        text = f"The {which} is {points}."
    else:
        text = "Both accuracies are the same."
    text += " One run of each cannot tell a difference from the chance of the seed"
    if known is not None:
        seeds = len(known.statistics.values)
        text += f": {seeds} seeds of {known.source} gave {format_accuracy(known.statistics)}"
    return f"{text}. To find out, train both with {more}."


def _run_counts(first: SeedStatistics, second: SeedStatistics) -> str:
    counts = len(first.values), len(second.values)
    return f"{counts[0]} and {counts[1]} {'runs' if max(counts) > 1 else 'run'}"
