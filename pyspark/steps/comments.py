"""Entry point of the step `comments`."""

from soflow_jobs import comments
from soflow_jobs.entry import main

if __name__ == "__main__":
    main(comments.run)
