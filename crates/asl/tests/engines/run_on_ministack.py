"""Runs state machines on ministack's Step Functions: one scenario a line on stdin, how it ended a line on stdout.

A scenario has a `definition` and an `input`. The machines call one function, which gives back what it was given. ministack runs
in a folder of its own, on a free port of 127.0.0.1, while stdin is open.
"""

import contextlib
import io
import json
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.request
import zipfile

import boto3
import executions

# It answers within seconds; on a busy machine within tens.
PATIENCE_STARTING = 120
# An execution of these machines takes moments; the engine is stuck when one takes this long.
PATIENCE = 120
POLL = 0.02
ROLE = "arn:aws:iam::000000000000:role/engines"
ECHO = """def handler(event, context):
    if event.get("fail"):
        raise Exception("on purpose")
    return event
"""


def free_port():
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return listener.getsockname()[1]


def settings(port, folder):
    """What it is told. Everything that would reach out of its folder and its port is off; waits are short."""
    return os.environ | {
        "BIND_HOST": "127.0.0.1",
        "MINISTACK_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "SFN_WAIT_SCALE": "0.01",
        "TMPDIR": folder,
        "IOT_MTLS_ENABLED": "0",
        "SFTP_ENABLED": "0",
        "DOCKER_HOST": "unix:///nonexistent",
    }


@contextlib.contextmanager
def ministack():
    """Its address."""
    with tempfile.TemporaryDirectory() as folder:
        port, log = free_port(), os.path.join(folder, "ministack.log")
        program = os.path.join(os.path.dirname(sys.executable), "ministack")
        with open(log, "w", encoding="utf-8") as output:
            process = subprocess.Popen(
                [program], cwd=folder, env=settings(port, folder), stdin=subprocess.DEVNULL, stdout=output, stderr=output
            )
        try:
            wait_until_healthy(process, port, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            # Asked to, it ends the functions that it runs.
            process.terminate()
            try:
                process.wait(timeout=PATIENCE)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()


def wait_until_healthy(process, port, log):
    until = time.monotonic() + PATIENCE_STARTING
    while process.poll() is None and time.monotonic() < until:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{port}/_ministack/health", timeout=PATIENCE_STARTING):
                return
        except OSError:
            time.sleep(POLL)
    with open(log, encoding="utf-8") as said:
        raise SystemExit(f"ministack does not answer on port {port}: {said.read()}")


def create_function(client):
    archive = io.BytesIO()
    with zipfile.ZipFile(archive, "w") as code:
        code.writestr("index.py", ECHO)
    client.create_function(
        FunctionName="echo", Runtime="python3.11", Handler="index.handler", Timeout=30, Role=ROLE,
        Code={"ZipFile": archive.getvalue()},
    )


def run(states, scenario):
    seen = executions.ended(states, scenario, ROLE, PATIENCE)
    # It shows an output for a failed execution too, AWS does not (API Reference, DescribeExecution).
    output = json.loads(seen["output"]) if seen["status"] == "SUCCEEDED" else None
    return {"status": seen["status"], "error": seen.get("error"), "output": output}


def main():
    with ministack() as address:
        account = boto3.Session(aws_access_key_id="test", aws_secret_access_key="test", region_name="us-east-1")
        create_function(account.client("lambda", endpoint_url=address))
        states = account.client("stepfunctions", endpoint_url=address)
        executions.answer_each(lambda scenario: run(states, scenario))


if __name__ == "__main__":
    main()
