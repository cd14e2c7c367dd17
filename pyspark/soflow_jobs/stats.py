"""Statistics as column expressions. Doubles in, doubles out; null in, null out. No UDFs."""

from __future__ import annotations

from pyspark.sql import Column
from pyspark.sql import functions as F

Z95 = 1.959963984540054  # 97.5 % quantile of the standard normal

# Prior of the shrunk ratio, in questions: a Gamma(2, 2) on (seen / expected), with mean 1. Below about two expected
# questions the prior rules, from 30 on it is hardly felt.
SHRINK = 2.0


def wilson_low(count: Column, total: Column) -> Column:
    """Lower end of the 95 % Wilson interval of count/total; 0 <= it <= count/total. `total` must be above 0."""
    middle, half = _wilson(count, total)
    return F.least(count / total, F.greatest(F.lit(0.0), middle - half))


def wilson_high(count: Column, total: Column) -> Column:
    """Upper end of the 95 % Wilson interval of count/total; count/total <= it <= 1. `total` must be above 0."""
    middle, half = _wilson(count, total)
    return F.greatest(count / total, F.least(F.lit(1.0), middle + half))


def _wilson(count: Column, total: Column) -> tuple[Column, Column]:
    share, square = count / total, Z95 * Z95
    scale = 1.0 + square / total
    middle = (share + square / (2.0 * total)) / scale
    half = Z95 * F.sqrt(share * (1.0 - share) / total + square / (4.0 * total * total)) / scale
    return middle, half


def shrunk_log2_ratio(count: Column, total: Column, before: Column, total_before: Column) -> Column:
    """log2 of the share now over the share before, shrunk towards 0 where few questions are behind it; always finite.

    Expected now = total * before / total_before. Null when there was nothing before to compare with.
    """
    expected = total * before / total_before
    return F.when(total_before > 0, F.log2((count + SHRINK) / (expected + SHRINK)))


def two_shares_z(count: Column, total: Column, before: Column, total_before: Column) -> Column:
    """z of the difference between two shares, pooled variance. Its 95 % interval excludes 0 when |z| > Z95.

    Null when there was nothing before, or when both shares are 0 or both are 1.
    """
    pooled = (count + before) / (total + total_before)
    variance = pooled * (1.0 - pooled) * (1.0 / total + 1.0 / total_before)
    difference = count / total - before / total_before
    return F.when((total_before > 0) & (pooled > 0) & (pooled < 1), difference / F.sqrt(variance))


def share_where(condition: Column) -> Column:
    """Aggregate: the share of rows for which the condition holds, 0 to 1. Null counts as does not hold."""
    return F.avg(F.when(condition, 1.0).otherwise(0.0))
