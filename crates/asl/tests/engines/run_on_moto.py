"""Runs state machines on moto's Step Functions: one scenario a line on stdin, how it ended a line on stdout.

A scenario has a `definition`, an `input`, and for each state the answers of its calls, in order; the last one stays. An answer is
`{"payload": ...}`, `{"error": name, "message": text}`, or for a task that waits for its token also `"then"`: what the worker does
afterwards, `{"wait": seconds}`, `{"beat": true}`, `{"success": ...}` or `{"failure": name, "cause": text}`.

moto is given what it lacks here: JSONata (its own bridge wants a Java machine), and a Lambda that answers from the scenario.
"""

import io
import json
import logging
import os
import sys
import threading
import time

os.environ.update(AWS_DEFAULT_REGION="us-east-1", AWS_ACCESS_KEY_ID="none", AWS_SECRET_ACCESS_KEY="none")

import boto3
import executions
import jsonata
from botocore.exceptions import ClientError
from moto import mock_aws
from moto.stepfunctions.parser.asl.component.state.exec.state_task import lambda_eval_utils
from moto.stepfunctions.parser.asl.jsonata import jsonata as bridge

# An execution of these machines takes seconds; the engine is stuck when one takes this long.
PATIENCE = 300
# It waits for a token within moments of the call.
PATIENCE_CALLING = 60
ROLE = "arn:aws:iam::123456789012:role/engines"


def evaluated(expression):
    """An expression's value. Nothing at all is an error, as it is on AWS."""
    try:
        return json.loads(json.dumps(jsonata.Jsonata(expression).evaluate(None)))
    except Exception as error:
        raise bridge.JSONataException("UNKNOWN", str(error)) from error


def echo(payload):
    if payload.get("fail") is True:
        return {"error": "Runtime.HandlerError", "message": "on purpose"}
    return {"payload": payload}


class Lambda:
    """A client of Lambda that answers from the scenario. A function's name is its state's."""

    def __init__(self, answers, states):
        self.answers = answers
        self.states = states
        self.lock = threading.Lock()
        self.calls = []

    def invoke(self, FunctionName, Payload=b"{}", **_):
        name = FunctionName.rsplit(":", 1)[-1]
        payload = json.loads(Payload)
        with self.lock:
            shown = {part: value for part, value in payload.items() if part not in ("execution", "taskToken")}
            self.calls.append([name, shown])
            answers = self.answers.get(name)
            answer = answers[0] if answers else echo(payload)
            if answers and len(answers) > 1:
                answers.pop(0)
        if "then" in answer:
            token = payload["taskToken"]
            threading.Thread(target=self.work, args=(token, answer["then"]), daemon=True).start()
        if answer.get("error", "").startswith("Lambda."):
            raise ClientError(
                {
                    "Error": {"Code": answer["error"].removeprefix("Lambda."), "Message": answer["message"]},
                    "ResponseMetadata": {"HTTPStatusCode": 500, "RequestId": "0"},
                },
                "Invoke",
            )
        body = answer.get("payload", {})
        extra = {}
        if "error" in answer:
            body = {"errorMessage": answer["message"], "errorType": answer["error"]}
            extra["FunctionError"] = "Unhandled"
        return {"StatusCode": 200, "ExecutedVersion": "$LATEST", "Payload": io.BytesIO(json.dumps(body).encode()), **extra}

    def work(self, token, deeds):
        # The engine accepts a token before it waits for it, but ignores what it is sent.
        until = time.monotonic() + PATIENCE_CALLING
        while not self.waited_for(token):
            if time.monotonic() > until:
                return print("the engine does not wait for its token", file=sys.stderr)
            time.sleep(executions.POLL)
        for deed in deeds:
            time.sleep(deed.get("wait", 0))
            if "beat" in deed:
                self.states.send_task_heartbeat(taskToken=token)
            elif "success" in deed:
                self.states.send_task_success(taskToken=token, output=json.dumps(deed["success"]))
            elif "failure" in deed:
                self.states.send_task_failure(taskToken=token, error=deed["failure"], cause=deed["cause"])

    def waited_for(self, token):
        """Whether the engine waits for the token. It starts after the call has returned; from then on it accepts a heartbeat."""
        try:
            self.states.send_task_heartbeat(taskToken=token)
        except ClientError:
            return False
        return True


def run(scenario):
    states = boto3.client("stepfunctions")
    function = Lambda(scenario.get("answers", {}), states)
    lambda_eval_utils.boto_client_for = lambda **_: function
    seen = executions.ended(states, scenario, ROLE, PATIENCE)
    events = states.get_execution_history(executionArn=seen["executionArn"], maxResults=1000)["events"]
    entered = [event["stateEnteredEventDetails"]["name"] for event in events if "stateEnteredEventDetails" in event]
    output = json.loads(seen["output"]) if "output" in seen else None
    return {"status": seen["status"], "error": seen.get("error"), "output": output, "trace": entered, "calls": function.calls}


def main():
    logging.disable(logging.CRITICAL)
    bridge._eval_jsonata = evaluated
    with mock_aws(config={"stepfunctions": {"execute_state_machine": True}}):
        executions.answer_each(run)


if __name__ == "__main__":
    main()
