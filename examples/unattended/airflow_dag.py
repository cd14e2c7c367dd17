"""Runs a soflow job from Airflow 3: a task hands it over to a cluster, a deferrable one looks until it is published.

Needs the `soflow` program and the project on the workers. Nothing runs twice whatever Airflow retries: the same command
finds the run that goes on, and finished steps are not repeated. On a local target the first task does it all.
"""

import json
import subprocess
from datetime import datetime, timedelta

from airflow.providers.standard.triggers.temporal import TimeDeltaTrigger
from airflow.sdk import BaseOperator, dag, task
from airflow.sdk.exceptions import AirflowException, AirflowFailException

PROJECT, TARGET, JOB = "/opt/project", "prod", "daily"

#: How often a run is looked at; no worker is held in between.
BETWEEN_LOOKS = timedelta(minutes=1)

#: Exit codes, docs/exit-codes.md. What goes on on its cluster:
GOES_ON = 4
#: Those that another try does not mend:
FINAL = (1, 2, 6, 70, 130)


def submit(date, wait):
    """Takes the run of a date as far as it comes in that time. Returns whether it is published."""
    command = ["soflow", "-C", PROJECT, "--output", "json", "--events", "plain", "submit", JOB, "--target", TARGET]
    done = subprocess.run([*command, "--date", date, "--wait", wait], stdout=subprocess.PIPE, text=True, check=False)
    if done.returncode in (0, GOES_ON):
        return done.returncode == 0
    told = json.loads(done.stdout or "{}").get("error", {}).get("message", "soflow said nothing")
    error = AirflowFailException if done.returncode in FINAL else AirflowException
    raise error(f"{told} (exit {done.returncode})")


class Published(BaseOperator):
    """Waits until the run of a date is published: adds steps that became ready, audits, publishes."""

    template_fields = ("date",)

    def __init__(self, *, date, **arguments):
        super().__init__(**arguments)
        self.date = date

    def execute(self, context, event=None):
        if not submit(self.date, "30s"):
            self.defer(trigger=TimeDeltaTrigger(BETWEEN_LOOKS), method_name="execute")


@dag(
    schedule="15 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
    dagrun_timeout=timedelta(hours=12),
)
def stack_overflow():
    @task
    def hand_over(data_interval_end=None):
        """Claims the run of the day before, and hands its steps over. Returns the date."""
        date = (data_interval_end - timedelta(days=1)).date().isoformat()
        submit(date, "0s")
        return date

    Published(task_id="published", date=hand_over())


stack_overflow()
