"""Executions of state machines, whichever engine runs them: one scenario a line on stdin, how it ended a line on stdout."""

import json
import sys
import time
import uuid

POLL = 0.05


def ended(states, scenario, role, patience):
    """Runs a scenario's machine to its end, with a client of Step Functions. What DescribeExecution then says."""
    name = "engines-" + uuid.uuid4().hex
    machine = states.create_state_machine(name=name, definition=json.dumps(scenario["definition"]), roleArn=role)
    arn = states.start_execution(
        stateMachineArn=machine["stateMachineArn"], name=name, input=json.dumps(scenario["input"])
    )["executionArn"]
    until = time.monotonic() + patience
    while (seen := states.describe_execution(executionArn=arn))["status"] == "RUNNING":
        if time.monotonic() > until:
            raise SystemExit(f"the engine does not end {name}")
        time.sleep(POLL)
    return seen


def answer_each(run):
    """Runs the scenarios of stdin, until it ends."""
    for line in sys.stdin:
        print(json.dumps(run(json.loads(line))), flush=True)
