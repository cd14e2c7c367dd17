"""Entry point of the step `answers`."""

from soflow_jobs import answers
from soflow_jobs.entry import main

if __name__ == "__main__":
    main(answers.run)
