"""Serves moto on a free port of 127.0.0.1, tells the port, and ends when standard input closes.

Whoever starts it holds the other end of that pipe, so the server ends with them, however they end. The first argument
says how long a second of a state machine's waits and retries lasts.
"""

import functools
import gc
import io
import json
import logging
import os
import sys
import threading
import time
import types

import boto3
import jsonata
from botocore.config import Config
from botocore.exceptions import BotoCoreError, ClientError
from moto.core.config import default_user_config
from moto.moto_server.werkzeug_app import DomainDispatcherApplication, create_backend_app
from moto.stepfunctions.parser.asl.component.common.retry import retrier_decl
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.component.state.wait.wait_function.wait_function import WaitFunction
from moto.stepfunctions.parser.asl.jsonata import jsonata as expressions
from werkzeug.serving import WSGIRequestHandler, make_server

SECOND = float(sys.argv[1])


class Quiet(WSGIRequestHandler):
    disable_nagle_algorithm = True  # head and body are two writes: without this each answer may wait 40 ms

    def log_request(self, code="-", size="-"):
        """Says nothing: the twin in front of this server writes the log."""


def end_with_parent():
    while os.read(0, 4096):
        pass
    os._exit(0)


def with_s3s_list_of_parts(serve):
    """moto calls the root of its answer to ListParts otherwise than S3 does, and strict clients refuse that."""

    def answer(environ, start):
        if environ["REQUEST_METHOD"] != "GET" or "uploadId=" not in environ["QUERY_STRING"]:
            return serve(environ, start)
        head = []
        body = b"".join(serve(environ, lambda *said: head.extend(said)))
        body = body.replace(b"ListPartsResponse", b"ListPartsResult")
        headers = [(name, value) for name, value in head[1] if name.lower() != "content-length"]
        start(head[0], [*headers, ("Content-Length", str(len(body)))])
        return [body]

    return answer


def one_at_a_time(serve):
    """moto is not made for threads: it goes through lists that another call changes, compares an object and replaces it in
    two steps, and closes what a third call still reads. What it runs in threads of its own, executions, comes in here too."""
    lock = threading.Lock()

    def answer(environ, start):
        # Before the lock: whoever sends a body slowly holds up nobody.
        length = -1 if environ.get("wsgi.input_terminated") else int(environ.get("CONTENT_LENGTH") or 0)
        environ["wsgi.input"] = io.BytesIO(environ["wsgi.input"].read(length))
        with lock:
            return serve(environ, start)

    return answer


def evaluate(expression):
    """Stands in for the evaluator of JSONata, which moto's interpreter of state machines leaves out."""
    try:
        # The evaluator has lists of its own.
        return json.loads(json.dumps(jsonata.Jsonata(expression).evaluate(None)))
    except Exception as error:
        raise expressions.JSONataException("UNKNOWN", str(error)) from error


def wait(_function, env, wait_seconds):
    """Waits for a shorter time, or until the execution is stopped."""
    env.program_state_event.wait(wait_seconds * SECOND)


@functools.cache
def functions_at(port):
    """Returns a client of the Lambda functions of a twin."""
    config = Config(parameter_validation=False, retries={"total_max_attempts": 1}, read_timeout=1000)
    return boto3.client(
        "lambda",
        endpoint_url=f"http://127.0.0.1:{port}",
        region_name="us-east-1",
        aws_access_key_id="states",
        aws_secret_access_key="states",
        config=config,
    )


def invoke(parameters, region, state_credentials):
    """Calls a function `soflow-PORT-HANDLER` at the twin of that port: one moto serves many twins."""
    port = parameters["FunctionName"].split("-")[1]
    try:
        answer = functions_at(port).invoke(**parameters)
        body = answer["Payload"].read()
    except BotoCoreError as lost:
        # What Step Functions says when it does not hear from Lambda.
        error = {"Code": "SdkClientException", "Message": f"Unable to execute HTTP request: {lost}"}
        head = {"HTTPStatusCode": 0, "RequestId": "null"}
        raise ClientError({"Error": error, "ResponseMetadata": head}, "Invoke") from lost
    answer["Payload"] = json.loads(body) if body else None
    return answer


# moto looks through its own folder twice for each call.
DomainDispatcherApplication.get_backend_for_host = functools.cache(DomainDispatcherApplication.get_backend_for_host)
expressions._eval_jsonata = evaluate
WaitFunction._wait_interval = wait
retrier_decl.time = types.SimpleNamespace(sleep=lambda seconds: time.sleep(seconds * SECOND))
lambda_eval_utils._invoke_lambda_function = invoke
# Executions that fail are what tests are about.
logging.getLogger("moto.stepfunctions").setLevel(logging.CRITICAL)
default_user_config["stepfunctions"] = {"execute_state_machine": True}

application = one_at_a_time(with_s3s_list_of_parts(DomainDispatcherApplication(create_backend_app)))
server = make_server("127.0.0.1", 0, application, threaded=True, request_handler=Quiet)
threading.Thread(target=end_with_parent, daemon=True).start()
# What is there now stays: not to be looked through for garbage again and again.
gc.freeze()
print(server.port, flush=True)
sys.stdout.close()
server.serve_forever()
