"""Entry point of the step `sentiment`."""

from soflow_jobs import text_sentiment
from soflow_jobs.entry import main

if __name__ == "__main__":
    main(text_sentiment.run)
