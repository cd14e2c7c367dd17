"""Entry point of the step `tag_sentiment`."""

from soflow_jobs import tag_sentiment
from soflow_jobs.entry import main

if __name__ == "__main__":
    main(tag_sentiment.run)
