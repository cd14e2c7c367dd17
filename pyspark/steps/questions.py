"""Entry point of the step `questions`."""

from soflow_jobs import questions
from soflow_jobs.entry import main

if __name__ == "__main__":
    main(questions.run)
