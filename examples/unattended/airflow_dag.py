"""Runs a soflow job from Airflow: one task that hands over, one that looks until the run is over.

Needs the `soflow` program and the project on the workers. Nothing runs twice whatever Airflow retries: the same command finds the
run that goes on, and finished steps are not repeated.
"""

import json
import subprocess
from datetime import datetime, timedelta

from airflow.exceptions import AirflowFailException
from airflow.sdk import PokeReturnValue, dag, task

PROJECT, TARGET, JOB = "/opt/project", "prod", "daily"

#: Exit codes that another try does not mend: docs/exit-codes.md.
FINAL = {1: "the job failed", 2: "settings or job file", 6: "the audit refused what landed", 70: "a bug"}


def soflow(*arguments):
    """Runs a command and returns its exit code and its JSON document."""
    command = ["soflow", "-C", PROJECT, "--target", TARGET, "--output", "json", "--events", "plain", *arguments]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True, check=False)
    document = json.loads(done.stdout or "{}")
    if done.returncode in FINAL:
        told = document.get("error", {}).get("message", "")
        raise AirflowFailException(f"{FINAL[done.returncode]}: {told}")
    return done.returncode, document


@dag(
    schedule="15 2 * * *",
    start_date=datetime(2026, 1, 1),
    catchup=False,
    default_args={"retries": 3, "retry_delay": timedelta(minutes=5)},
)
def stack_overflow():
    @task
    def submit(data_interval_start=None):
        """Claims the run, hands its steps over and leaves; 4: it goes on, 0: nothing to do."""
        date = data_interval_start.date().isoformat()
        code, _ = soflow("submit", JOB, "--date", date, "--wait", "0s")
        if code not in (0, 4):
            raise RuntimeError(f"soflow ended with {code}: Airflow tries again")
        return date

    @task.sensor(poke_interval=60, timeout=6 * 3600, mode="reschedule")
    def published(date):
        """Takes the run further and looks whether it is over: no worker is held in between."""
        code, _ = soflow("submit", JOB, "--date", date, "--wait", "30s")
        return PokeReturnValue(is_done=code == 0)

    published(submit())


stack_overflow()
