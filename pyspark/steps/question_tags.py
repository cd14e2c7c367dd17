"""Entry point of the step `question_tags`."""

from soflow_jobs import question_tags
from soflow_jobs.entry import main

if __name__ == "__main__":
    main(question_tags.run)
