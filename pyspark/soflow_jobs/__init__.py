"""The steps that soflow runs, for Sail, Spark 3.5 and EMR alike.

In the order data flows:

    entry       --task, session, one step
    task        the contract: JSON -> dataclasses
    lake        the task's tables as DataFrames; DataFrames as partition directories
    raw, nested, fields, records   page bytes -> typed rows or rejects, without Spark
    dump, dump_records (markdown, sites)   the same for rows of a data dump
    ingest      raw pages -> scratch -> quarantine limit -> newest version of each id
    ingest_audit   how many pages, rows and ids that were, by run folder
    questions, answers, comments                    the base tables
    text_sentiment (sentiment, neutral_words)       one row a text
    tag_trends, tag_health, tag_sentiment, tag_pairs   one row a tag and period
    findings    what of these is more than chance
    schemas     what every table looks like
"""
