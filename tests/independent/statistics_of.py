"""Formulas of docs/tables.md, written out."""

import math
from statistics import NormalDist

import numpy as np
import pandas as pd

Z95 = NormalDist().inv_cdf(0.975)
LEVEL = 0.05 / 6


def wilson(count, total):
    share, z2 = count / total, Z95**2
    middle = (share + z2 / (2 * total)) / (1 + z2 / total)
    half = Z95 * np.sqrt(share * (1 - share) / total + z2 / (4 * total**2)) / (1 + z2 / total)
    return np.minimum(share, np.maximum(0, middle - half)), np.maximum(share, np.minimum(1, middle + half))


def newcombe(now, total, before, total_before):
    one, other = now / total, before / total_before
    (low, high), (low_before, high_before) = wilson(now, total), wilson(before, total_before)
    below = np.sqrt((one - low) ** 2 + (high_before - other) ** 2)
    return one - other - below, one - other + np.sqrt((high - one) ** 2 + (other - low_before) ** 2)


def two_shares(now, total, before, total_before):
    both = total + total_before
    pooled = (now + before) / both
    if not 0 < pooled < 1:
        return 0.0
    error = math.sqrt(pooled * (1 - pooled) * (1 / total + 1 / total_before) * both / (both - 1))
    return (now / total - before / total_before) / error


def p_of(z):
    return math.erfc(abs(z) / math.sqrt(2))


def benjamini_hochberg(p, tests=None):
    """q of each p, in the order given."""
    order = np.argsort(p, kind="stable")
    raw = np.array(p)[order] * (tests or len(p)) / np.arange(1, len(p) + 1)
    q = np.minimum(1, np.minimum.accumulate(raw[::-1])[::-1])
    return pd.Series(q, index=order).sort_index().to_numpy()


def monday(moments):
    days = moments.dt.tz_convert("UTC").dt.tz_localize(None).dt.normalize()
    return days - pd.to_timedelta(days.dt.day_of_week, unit="D")


def month(moments):
    return moments.dt.tz_convert("UTC").dt.tz_localize(None).dt.to_period("M").dt.to_timestamp()


def counted(lists):
    """How many lists have two tags, and one."""
    both, single = {}, {}
    for tags in lists:
        for at, one in enumerate(tags):
            single[one] = single.get(one, 0) + 1
            for other in tags[at + 1 :]:
                both[one, other] = both.get((one, other), 0) + 1
    return both, single
