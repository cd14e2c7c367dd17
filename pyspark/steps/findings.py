"""Entry point of the step `findings`."""

from soflow_jobs import findings
from soflow_jobs.entry import main

if __name__ == "__main__":
    main(findings.run)
