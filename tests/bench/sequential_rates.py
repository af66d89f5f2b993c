"""How often the sequential test is wrong, and how soon it is right, by simulation: `python -m tests.bench.sequential_rates`.

The test in use is compared with the one that was rejected, universal inference with Beta mixtures (Wasserman, Ramdas &
Balakrishnan 2020), each with and without the 250 requests of a baseline of 5 s, at the lab's defaults: margin 2 points,
harm of 10 more to be detected, one analysis of three metrics at an alpha of 5 %. A tenth of the requests, chosen at random,
go to the candidate; the test looks after every fifth of these.
"""

from collections.abc import Callable
from math import log

import numpy as np
from numpy.typing import NDArray
from scipy.special import betaln, xlogy

from impact.sequential import Comparison, log_evidence
from strategies.judgement import Count

MARGIN, DETECT, SHARE, BASELINE = 0.02, 0.10, 0.1, 250
ALPHA = 0.05 / 3
LIMIT = log(1 / ALPHA)
EVERY = 5
"""Looks are that many candidate requests apart: one second."""

Array = NDArray[np.float64]
Test = Callable[[Comparison, Array, Array, Array, Array], Array]


def universal_inference(comparison: Comparison, k_c: Array, n_c: Array, k_s: Array, n_s: Array) -> Array:
    """Log of the likelihood under Beta priors by the largest one under the null: a prior at the harm to be detected, and the baseline's."""
    bad, n = comparison.baseline.bad, comparison.baseline.n
    guess = min((bad + 0.5) / (n + 1) + MARGIN + DETECT, 0.9) if n else 0.2
    flat, informed = _beta_binomial(k_s, n_s, 0.5, 0.5), _beta_binomial(k_s, n_s, bad + 0.5, n - bad + 0.5)
    mixture = _beta_binomial(k_c, n_c, 12 * guess, 12 - 12 * guess) + np.logaddexp(log(0.2) + flat, log(0.8) + informed)
    low, high = np.zeros_like(n_c), np.full_like(n_c, 1 - MARGIN)
    for _ in range(50):
        p = (low + high) / 2
        q = p + MARGIN
        rising = k_s / p - (n_s - k_s) / (1 - p) + k_c / q - (n_c - k_c) / (1 - q) > 0
        low, high = np.where(rising, p, low), np.where(rising, high, p)
    free_c, free_s = k_c / n_c, k_s / np.maximum(n_s, 1)
    inside = free_c <= free_s + MARGIN
    best_c, best_s = np.where(inside, free_c, low + MARGIN), np.where(inside, free_s, low)
    return mixture - xlogy(k_c, best_c) - xlogy(n_c - k_c, 1 - best_c) - xlogy(k_s, best_s) - xlogy(n_s - k_s, 1 - best_s)


def _beta_binomial(k: Array, n: Array, a: float, b: float) -> Array:
    return betaln(k + a, n - k + b) - betaln(a, b)


TESTS: dict[str, tuple[Test, int]] = {
    "in use": (log_evidence, BASELINE),
    "in use, no baseline": (log_evidence, 0),
    "universal inference": (universal_inference, BASELINE),
    "the same, no baseline": (universal_inference, 0),
}


def crossings(test: Test, stable: Array, excess: float, *, baseline: int, runs: int = 500) -> Array:
    """After how many candidate requests each run proves harm, inf where it does not.

    `stable` is the ratio of stable at each request of the candidate, as many as a run has; the candidate's is `excess` more.
    Fifty runs at a time share what was seen in the baseline.
    """
    random = np.random.default_rng(1)
    shape = (50, len(stable))
    n_c = np.broadcast_to(np.arange(1.0, len(stable) + 1), shape)
    looks = slice(EVERY - 1, None, EVERY)
    found = []
    for _ in range(runs // 50):
        comparison = Comparison(
            margin=MARGIN, detect=DETECT, share=SHARE, baseline=Count(int(random.binomial(baseline, stable[0])), baseline)
        )
        k_c = (random.random(shape) < stable + excess).cumsum(axis=1).astype(float)
        between = random.negative_binomial(1, SHARE, shape)
        n_s, k_s = between.cumsum(axis=1).astype(float), random.binomial(between, stable).cumsum(axis=1).astype(float)
        proved = test(comparison, k_c[:, looks], n_c[:, looks], k_s[:, looks], n_s[:, looks]) >= LIMIT
        found.append(np.where(proved.any(axis=1), n_c[0, looks][proved.argmax(axis=1)], np.inf))
    return np.concatenate(found)


def main() -> None:
    """Print the table."""
    say(" " * 34 + "".join(f"{name:>30}" for name in TESTS))
    say(f"False alarms in percent within 300 candidate requests ({100 * ALPHA:.2f} allowed); candidate = stable + {100 * MARGIN:g} points")
    unsteady = np.where(np.arange(300) // 25 % 2, 0.3, 0.0)
    truths = {f"stable {ratio:.0%}": np.full(300, ratio) for ratio in (0.0, 0.01, 0.05, 0.2, 0.5)}
    for name, stable in {**truths, "stable 0 % and 30 % by turns": unsteady}.items():
        rates = (100 * np.isfinite(crossings(test, stable, MARGIN, baseline=before, runs=1000)).mean() for test, before in TESTS.values())
        say(f"{name:<34}" + "".join(f"{rate:>30.1f}" for rate in rates))
    say("Candidate requests until harm is proved in 50 and in 80 % of the runs")
    for ratio, excess, length in ((0.0, 0.12, 150), (0.01, 0.12, 200), (0.05, 0.12, 350), (0.2, 0.12, 600), (0.05, 0.3, 100)):
        times = (crossings(test, np.full(length, ratio), excess, baseline=before) for test, before in TESTS.values())
        quantiles = (np.quantile(time, (0.5, 0.8), method="higher") for time in times)
        say(
            f"stable {ratio:.0%}, candidate {ratio + excess:.0%}".ljust(34)
            + "".join(f"{half:>23.0f} {most:>6.0f}" for half, most in quantiles)
        )


def say(line: str) -> None:
    """Print at once: the table takes a minute or two."""
    print(line, flush=True)


if __name__ == "__main__":
    main()
