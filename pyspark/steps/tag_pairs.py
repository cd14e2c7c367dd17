"""Entry point of the step `tag_pairs`."""

from soflow_jobs import tag_pairs
from soflow_jobs.entry import main

if __name__ == "__main__":
    main(tag_pairs.run)
