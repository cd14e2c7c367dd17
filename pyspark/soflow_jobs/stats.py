"""Statistics as column expressions. Doubles in, doubles out; null in, null out. Python only where SQL has none."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import erfc, sqrt
from statistics import NormalDist

import pyarrow as pa
from pyspark.sql import Column, DataFrame, Window, WindowSpec
from pyspark.sql import functions as F
from pyspark.sql.types import DoubleType, StructField, StructType

Z95 = 1.959963984540054  # 97.5 % quantile of the standard normal

POWER_Z = 0.8416212335729143  # 80 % quantile of the standard normal

# What stands out: its q is below this. A run prints findings of six kinds, each a family of its own; where nothing has
# changed, at most one run in twenty prints any.
LEVEL = 0.05 / 6

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
    return F.when(total_before > 0, F.log2(shrunk_ratio(count, total, before, total_before)))


def shrunk_ratio(count: Column, total: Column, before: Column, total_before: Column) -> Column:
    """The share now over the share before, shrunk towards 1. `total_before` must be above 0."""
    return (count + SHRINK) / (total * before / total_before + SHRINK)


def shrunk_ratio_end(count: Column, total: Column, before: Column, total_before: Column, z: float) -> Column:
    """An end of the shrunk ratio's interval: z errors of its logarithm away.

    The error is that of Poisson's counts: of now 1 / (count + 2), of what was expected its variance over its square,
    both with the prior; far from it 1 / count + 1 / before, as usual of a ratio of counts.
    """
    scale = total / total_before
    expected = scale * before + SHRINK
    error = F.sqrt(1.0 / (count + SHRINK) + scale * scale * before / (expected * expected))
    return shrunk_ratio(count, total, before, total_before) * F.exp(z * error)


def trend_z(count: Column, moment: Column, total: Column, total_moment: Column, total_square: Column) -> Column:
    """z of Cochran and Armitage: whether a share rises or falls over periods. Positive: it rises.

    With x of n in each period t: sums of x, t x, n, t n, t^2 n. Null when no period differs from another or all or none
    are counted. Source: Armitage, Biometrics 11 (1955), 375-386.
    """
    share = count / total
    spread = total_square - total_moment * total_moment / total
    variance = share * (1.0 - share) * spread
    return F.when((total > 0) & (variance > 0), (moment - count * total_moment / total) / F.sqrt(variance))


def two_shares_z(count: Column, total: Column, before: Column, total_before: Column) -> Column:
    """z of the difference between two shares, pooled variance, for small counts: its square times (N - 1) / N.

    Null when there was nothing on a side, or when both shares are 0 or both are 1. Source: Campbell, Statistics in
    Medicine 26 (2007), 3661-3675: holds from one expected of each on.
    """
    both = total + total_before
    pooled = (count + before) / both
    variance = pooled * (1.0 - pooled) * (1.0 / total + 1.0 / total_before) * both / (both - 1.0)
    difference = count / total - before / total_before
    known = (total > 0) & (total_before > 0) & (both > 1) & (pooled > 0) & (pooled < 1)
    return F.when(known, difference / F.sqrt(variance))


def difference_low(count: Column, total: Column, before: Column, total_before: Column) -> Column:
    """Lower end of the 95 % interval of count/total - before/total_before. Source: Newcombe, Statistics in Medicine 17
    (1998), 873-890, method 10: both Wilson intervals put together. Both totals must be above 0."""
    below = count / total - wilson_low(count, total)
    above = wilson_high(before, total_before) - before / total_before
    return count / total - before / total_before - F.sqrt(below * below + above * above)


def difference_high(count: Column, total: Column, before: Column, total_before: Column) -> Column:
    """Upper end of the same interval."""
    return -difference_low(before, total_before, count, total)


def normal_of_t(t: Column, freedom: Column) -> Column:
    """The standard normal value that is as rare as this one of Student's t, to a few thousandths.

    Source: Wallace, Annals of Mathematical Statistics 30 (1959), 1121-1130.
    """
    return F.signum(t) * _wallace(freedom) * F.sqrt(freedom * F.log1p(t * t / freedom))


def t_of_normal(z: float, freedom: Column) -> Column:
    """The same the other way round, of a z above 0."""
    scaled = F.lit(z) / _wallace(freedom)
    return F.sqrt(freedom * F.expm1(scaled * scaled / freedom))


def _wallace(freedom: Column) -> Column:
    return (8.0 * freedom + 1.0) / (8.0 * freedom + 3.0)


def with_value(frame: DataFrame, name: str, function: Callable[[float], float], argument: str) -> DataFrame:
    """The frame with a column of doubles more: `function` of the column `argument`, null where that is null.

    For functions that SQL has not. `function` is one of a module, as workers import it.
    """
    schema = StructType([*frame.schema.fields, StructField(name, DoubleType())])

    def add(batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        for batch in batches:
            given = batch.column(argument).to_pylist()
            values = pa.array([None if value is None else function(value) for value in given], pa.float64())
            yield pa.RecordBatch.from_arrays([*batch.columns, values], [*batch.schema.names, name])

    return frame.mapInArrow(add, schema)


def two_sided_p(z: float) -> float:
    """How often chance alone gives a standard normal value as far from 0 as z."""
    return erfc(abs(z) / sqrt(2.0))


def critical_z(p: float) -> float:
    """The z whose two-sided p is this one, 0 < p <= 1."""
    return -NormalDist().inv_cdf(p / 2.0)


def with_q(frame: DataFrame, family: list[str], looked_at: Column | None = None) -> DataFrame:
    """The frame with `q`: the share of chance findings among all with a p as small, within a family; null without `p`.

    `looked_at`: how many tests a family has, when not all of them are rows. Source: Benjamini and Hochberg, Journal of
    the Royal Statistical Society B 57 (1995), 289-300.
    """
    whole = Window.partitionBy(*family)
    tests = F.count("p").over(whole) if looked_at is None else looked_at
    # Equal p's get the same q whichever comes first.
    ranked = frame.withColumn("_tests", tests).withColumn("_rank", F.row_number().over(_by_p(whole)))
    raw = F.when(F.col("p").isNotNull(), F.col("p") * F.col("_tests") / F.col("_rank"))
    from_here = whole.orderBy(F.col("_rank").desc()).rowsBetween(Window.unboundedPreceding, Window.currentRow)
    q = F.when(F.col("p").isNotNull(), F.least(F.lit(1.0), F.min("_raw").over(from_here)))
    return ranked.withColumn("_raw", raw).withColumn("q", q).drop("_tests", "_rank", "_raw")


def _by_p(whole: WindowSpec) -> WindowSpec:
    return whole.orderBy(F.col("p").asc_nulls_last())


def share_where(condition: Column) -> Column:
    """Aggregate: the share of rows for which the condition holds, 0 to 1. Null counts as does not hold."""
    return F.avg(F.when(condition, 1.0).otherwise(0.0))
