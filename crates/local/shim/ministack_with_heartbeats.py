"""A SHIM: starts ministack with the parts of a callback task that its engine leaves out.

On AWS, a task that waits for its token fails with States.Timeout (so it was recorded; the documents also have
States.HeartbeatTimeout for it) when no SendTaskHeartbeat came for HeartbeatSeconds, counted from when the task was scheduled; and it fails with the function's own error when the
function that it invokes fails. ministack 1.5.33 accepts HeartbeatSeconds and ignores it, and drops the function's
error, so that the task waits for its timeout. This file wraps the two functions of the engine that decide this.
It reads HeartbeatSeconds from the state that the engine runs, so from the deployed definition, and the beats from
where the engine notes the real SendTaskHeartbeat calls. It knows nothing of who beats, or why.

On AWS, EventBridge Scheduler puts the schedule's ARN, the scheduled time and the like for <aws.scheduler...> in a target's
input; ministack delivers the input as it stands. This file wraps the delivery and puts them.

It also ends ministack when its standard input ends, and everything else of the same local AWS: whoever started it
is gone then, however that happened. What belongs to it has a variable that begins with the folder of this local AWS
(the first argument): functions their folder for temporary files, instances their root. If whoever started it did not
say `stop` before, it was killed: then nobody else removes the folder, and this does (unless the second argument is
`keep`).

CloudFormation learns SageMaker's notebook instances: see reveille_sagemaker.py. Its buckets get all their settings, and their policies
deny: see reveille_bucket.py. Its custom resources get an address at which they may
answer: see reveille_custom.py. Its conditions are read as on AWS: see reveille_conditions.py.

What ministack does as a role of the stack without a request (a state machine's invocations, a rule's and a schedule's
deliveries) is noted as what arrives by request is: see reveille_calls.py.

Nothing is served before reveille_guard.py has looked at it: see there.

It is tied to the engine's inside: the version of ministack is pinned in requirements.txt, and what is wrapped
here is asserted at the start and tested by src/ministack/tests.rs.
"""

import contextlib
import datetime
import os
import shutil
import signal
import sys
import threading
import time
import uuid

import ministack
import reveille_bucket
import reveille_calls
import reveille_conditions
import reveille_custom
import reveille_guard
import reveille_iam
import reveille_processes
import reveille_sagemaker
import reveille_simulate
from ministack.services import eventbridge, scheduler
from ministack.services import stepfunctions as engine

# How often a ticket is looked at. HeartbeatSeconds has a grain of one second.
LOOK_SECONDS = 0.1
# The fields of a task that JSONata may give as an expression, which the engine takes for numbers.
NUMBERS = ("HeartbeatSeconds", "TimeoutSeconds")
# What a service calls itself to deliver an event, by what is in the target's ARN.
DELIVERED = {":sns:": "sns:Publish", ":sqs:": "sqs:SendMessage", ":lambda:": "lambda:InvokeFunction"}

_present = threading.local()
_execute_task = engine._execute_task
_invoke_with_callback = engine._invoke_with_callback
_call_lambda = engine._call_lambda
_invoke_target = eventbridge._invoke_target


def execute_task(state, state_input, execution, context):
    """The engine's task, with its limits as numbers, and its execution known to the functions below."""
    _present.execution = execution
    machine = engine._state_machines.get(execution["stateMachineArn"])
    arguments = state.get("Arguments") or state.get("Parameters")
    invokes = ":lambda:invoke" in state.get("Resource", "")
    # Arguments may be one JSONata expression: then no name can be read here.
    function = arguments.get("FunctionName") if invokes and isinstance(arguments, dict) else None
    if machine is not None and function is not None:
        reveille_calls.taken("states.amazonaws.com", machine["roleArn"])
        reveille_calls.note(machine["roleArn"], "lambda:InvokeFunction", function)
    if engine._state_query_language(state, context) == "JSONata":
        limits = {
            field: engine._jsonata_state_field(state, field, "number", state_input, context)
            for field in NUMBERS
            if isinstance(state.get(field), str)
        }
        state = {**state, **limits}
    return _execute_task(state, state_input, execution, context)


def invoke_with_callback(resource, arguments, token, state):
    """The engine's wait for a token, watched for silence."""
    over = threading.Event()
    seconds = state.get("HeartbeatSeconds")
    if seconds is not None:
        watch = threading.Thread(target=fail_when_silent, args=(token, seconds, _present.execution, over), daemon=True)
        watch.start()
    _present.token = token
    try:
        return _invoke_with_callback(resource, arguments, token, state)
    finally:
        _present.token = None
        over.set()


def call_lambda(function, event):
    """The engine's invocation; inside a callback task, its error is the task's."""
    try:
        return _call_lambda(function, event)
    except engine._ExecutionError as error:
        token = getattr(_present, "token", None)
        if token is not None:
            fail(token, error.error, error.cause)
        raise


def invoke_target(target, event, rule, view=None):
    """The delivery of an event; of a schedule of Scheduler's, with what AWS puts for the attributes in its input."""
    if event.get("Source") == "aws.scheduler" and target.get("Input"):
        due = scheduler._at_time_epoch(rule["ScheduleExpression"]) or event["Time"]
        due = datetime.datetime.fromtimestamp(due, datetime.timezone.utc)
        attributes = {
            "schedule-arn": rule["Arn"],
            "scheduled-time": due.strftime("%Y-%m-%dT%H:%M:%SZ"),
            "execution-id": uuid.uuid4().hex,
            "attempt-number": "1",
        }
        given = target["Input"]
        for name, value in attributes.items():
            given = given.replace(f"<aws.scheduler.{name}>", value)
        target = {**target, "Input": given}
    note_delivery(target, event, rule)
    return _invoke_target(target, event, rule, view)


def note_delivery(target, event, rule):
    """Who delivers an event: the target's role, which a service takes, or else that service itself, for its rule."""
    scheduled = event.get("Source") == "aws.scheduler"
    service = "scheduler.amazonaws.com" if scheduled else "events.amazonaws.com"
    if target.get("RoleArn") and ":states:" in target["Arn"]:
        reveille_calls.taken(service, target["RoleArn"])
        reveille_calls.note(target["RoleArn"], "states:StartExecution", target["Arn"])
    for part, action in DELIVERED.items():
        if part in target["Arn"] and not target.get("RoleArn"):
            source = [("aws:SourceArn", rule["Arn"]), ("aws:SourceAccount", rule["Arn"].split(":")[4])]
            reveille_calls.note(service, action, target["Arn"], source)


def fail_when_silent(token, seconds, execution, over):
    """Fails the ticket when no beat came for `seconds`, as long as it and its execution live."""
    beat = None
    deadline = time.monotonic() + seconds
    while not over.wait(LOOK_SECONDS) and execution["status"] == "RUNNING":
        ticket = engine._task_tokens.get(token)
        if ticket is not None and ticket["heartbeat"] != beat:
            beat = ticket["heartbeat"]
            deadline = time.monotonic() + seconds
        if time.monotonic() > deadline:
            fail(token, "States.Timeout", f"No heartbeat came for {seconds} seconds.")
            return


def fail(token, error, cause):
    """What SendTaskFailure does."""
    ticket = engine._task_tokens.get(token)
    if ticket is not None and not ticket["event"].is_set():
        ticket["error"] = {"Error": error, "Cause": cause}
        ticket["event"].set()


def end_with_the_parent(folder, kept):
    """Blocks until standard input ends, then ends everything of this local AWS, and this process as SIGTERM does."""
    stopped = False
    with contextlib.suppress(OSError):
        while os.read(0, 1024):
            stopped = True
    reveille_processes.kill_all(b"=" + os.fsencode(folder) + b"/")
    if not stopped and not kept:
        shutil.rmtree(folder, ignore_errors=True)
    os.kill(os.getpid(), signal.SIGTERM)


def main():
    """Puts the wrappers in place and runs ministack's own main."""
    engine._execute_task = execute_task
    engine._invoke_with_callback = invoke_with_callback
    engine._call_lambda = call_lambda
    eventbridge._invoke_target = invoke_target
    reveille_sagemaker.install()
    reveille_custom.install()
    reveille_conditions.install()
    reveille_bucket.install()
    reveille_simulate.install()
    # Below the notes: what is denied was called.
    reveille_iam.install()
    # Below the guard: what it refuses is no call.
    reveille_calls.install()
    reveille_guard.install()
    threading.Thread(target=end_with_the_parent, args=(sys.argv[1], sys.argv[2] == "keep"), daemon=True).start()
    from ministack.app import main as serve

    sys.argv = [ministack.__name__]
    serve()


if __name__ == "__main__":
    main()
