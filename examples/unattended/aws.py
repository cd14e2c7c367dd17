"""What try.sh asks of AWS that no command of soflow does: as the console would show it, or a mailbox.

    python aws.py secret NAME KEY         puts the key of the API into a secret
    python aws.py mailbox TOPIC           sends what a topic tells to a queue, in place of people, and prints its URL
    python aws.py mail QUEUE N            waits for the N-th mail since the last call, and prints it
    python aws.py pages BUCKET DATE       waits until the function `ingest` has put pages of a date into raw
    python aws.py execution MACHINE N     waits for the end of the N-th execution, and prints how it went
    python aws.py rows DATABASE TABLE     reads a table where Glue says that it is, and prints its first rows

Needs botocore, and pyarrow for the last one. Ends with 1 when what it waits for does not come within five minutes.
"""

import json
import os
import sys
import time
from collections import Counter

from botocore.session import get_session

PATIENCE = 300


def client(service: str):
    return get_session().create_client(service)


def until(what: str, look):
    """Returns the first answer of `look` that is something."""
    last = time.monotonic() + PATIENCE
    while time.monotonic() < last:
        if found := look():
            return found
        time.sleep(0.2)
    sys.exit(f"{what} did not come within {PATIENCE} seconds")


def secret(name: str, key: str) -> None:
    client("secretsmanager").put_secret_value(SecretId=name, SecretString=json.dumps({"key": key}))


def mailbox(topic: str) -> None:
    queues = client("sqs")
    url = queues.create_queue(QueueName="mailbox")["QueueUrl"]
    arn = queues.get_queue_attributes(QueueUrl=url, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
    client("sns").subscribe(TopicArn=topic, Protocol="sqs", Endpoint=arn)
    print(url)


def mail(queue: str, count: str) -> None:
    queues, got = client("sqs"), []

    def look():
        for message in queues.receive_message(QueueUrl=queue, MaxNumberOfMessages=10).get("Messages", []):
            queues.delete_message(QueueUrl=queue, ReceiptHandle=message["ReceiptHandle"])
            got.append(json.loads(message["Body"]))
        return len(got) >= int(count)

    until("a mail", look)
    for body in got:
        print(f"Subject: {body['Subject']}\n\n{body['Message']}")
    if len(got) != int(count):
        sys.exit(f"{len(got)} mails instead of {count}")


def pages(bucket: str, date: str) -> None:
    objects = client("s3")

    def look():
        keys = [item["Key"] for item in objects.list_objects_v2(Bucket=bucket).get("Contents", [])]
        ends = {"endpoint=questions", "endpoint=answers", "endpoint=comments"}
        there = [key for key in keys if f"/dt={date}/run=api-" in key and key.endswith("/_manifest.jsonl")]
        return there if ends <= {part for key in there for part in key.split("/")} else []

    for key in until("pages", look):
        print(f"s3://{bucket}/{key.rsplit('/', 1)[0]}/")


def execution(machine: str, count: str) -> None:
    states = client("stepfunctions")

    def look():
        found = states.list_executions(stateMachineArn=machine)["executions"]
        found.sort(key=lambda item: item["startDate"])
        there = found[int(count) - 1 :]
        return there[0] if there and there[0]["status"] != "RUNNING" else None

    arn = until("the end of an execution", look)["executionArn"]
    told = states.describe_execution(executionArn=arn)
    history = states.get_execution_history(executionArn=arn, maxResults=1000)["events"]
    names = [event["stateEnteredEventDetails"]["name"] for event in history if "stateEnteredEventDetails" in event]
    count = Counter(name for name in names if not name.startswith("After") and not name.endswith("Wait"))
    print(f"{told['status']} {told.get('error', '')}: {', '.join(f'{name} {n}' for name, n in count.items())}")


def rows(database: str, table: str) -> None:
    import pyarrow.dataset
    from pyarrow.fs import S3FileSystem

    partitions = client("glue").get_partitions(DatabaseName=database, TableName=table)["Partitions"]
    places = [partition["StorageDescriptor"]["Location"].removeprefix("s3://") for partition in partitions]
    s3 = S3FileSystem(endpoint_override=os.environ["AWS_ENDPOINT_URL"])
    found = pyarrow.dataset.dataset([pyarrow.dataset.dataset(place, filesystem=s3) for place in places])
    if not found.count_rows():
        sys.exit(f"no rows in {places}")
    print(f"{found.count_rows()} rows")
    for row in found.head(3).to_pylist():
        print("  " + ", ".join(f"{name}: {value}" for name, value in row.items()))


VERBS = {"secret": secret, "mailbox": mailbox, "mail": mail, "pages": pages, "execution": execution, "rows": rows}

if __name__ == "__main__":
    VERBS[sys.argv[1]](*sys.argv[2:])
