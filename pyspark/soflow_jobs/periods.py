"""Which periods of a derived table a change touches. Months are `yyyy-MM`, weeks start on Monday, all UTC."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import date, timedelta

from pyspark.sql import Column
from pyspark.sql import functions as F


def week_start(created_at: Column) -> Column:
    """The Monday of the timestamp's week, as a date."""
    return F.date_trunc("week", created_at).cast("date")


def month_start(created_at: Column) -> Column:
    """The first day of the timestamp's month, as a date."""
    return F.date_trunc("month", created_at).cast("date")


def monday(day: date) -> date:
    """The Monday of the day's week."""
    return day - timedelta(days=day.weekday())


def month_days(month: str) -> tuple[date, date]:
    """First and last day of a `yyyy-MM`."""
    first = date.fromisoformat(f"{month}-01")
    return first, (first.replace(day=28) + timedelta(days=4)).replace(day=1) - timedelta(days=1)


def week_years(months: Iterable[str], weeks_after: int = 0) -> set[int]:
    """The years of the weeks that overlap these months, and of the `weeks_after` weeks that follow.

    A week belongs to the year of its Monday: January 2026 touches the week of 2025-12-29, so 2025.
    """
    years: set[int] = set()
    for month in months:
        first, last = month_days(month)
        until = monday(last) + timedelta(weeks=weeks_after)
        years.update(range(monday(first).year, until.year + 1))
    return years


def years_between(first: date | None, last: date | None) -> set[int]:
    """The years from one day to a later one, both included; none when either is unknown."""
    return set(range(first.year, last.year + 1)) if first and last else set()
