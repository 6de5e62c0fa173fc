"""A person in the instance's own Jupyter: what JupyterLab does for them, over HTTP and web sockets, through the server.

python person.py kernel | work KERNEL | shut KERNEL | terminal COMMAND
"""

import json
import os
import ssl
import sys
import time
import urllib.request
import uuid

import websocket

SERVER = "localhost:8443"
# Whatever is waited for comes in seconds; a server that never answers is told before the scenario's own patience ends.
SECONDS = 900
context = ssl._create_unverified_context()


def ask(method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(f"https://{SERVER}/api/{path}", data, method=method)
    with urllib.request.urlopen(request, context=context, timeout=SECONDS) as answer:
        text = answer.read()
    return json.loads(text) if text else None


def until(what, look):
    deadline = time.monotonic() + SECONDS
    seen = None
    while time.monotonic() < deadline:
        try:
            seen = look()
            if seen:
                return seen
        except OSError as error:  # the server is not up yet
            seen = error
        time.sleep(0.2)
    sys.exit(f"waited {SECONDS} s for {what}: {seen!r}")


def channel(path):
    return websocket.create_connection(f"wss://{SERVER}/{path}", timeout=SECONDS, sslopt={"cert_reqs": ssl.CERT_NONE})


def kernel():
    print(until("a kernel", lambda: ask("POST", "kernels", {"name": "python3"}))["id"])


def request(kind, content):
    header = {"msg_id": uuid.uuid4().hex, "msg_type": kind, "username": "", "session": "person", "version": "5.3", "date": ""}
    return json.dumps({"header": header, "parent_header": {}, "metadata": {}, "content": content, "channel": "shell", "buffers": []})


def work(kernel):
    """Executes a cell that does not end, and waits until the server shows the kernel as busy.

    The server learns what a kernel does from what the kernel publishes, and nobody repeats what was published before the server
    listened. So the cell is executed only when the server has heard the kernel say something.
    """
    line = channel(f"api/kernels/{kernel}/channels?session_id=person")

    def state():
        return ask("GET", f"kernels/{kernel}")["execution_state"]

    def heard():
        line.send(request("kernel_info_request", {}))
        return state() == "idle"

    until("the kernel to be idle", heard)
    code = "open('at-work', 'w').close()\nimport time\ntime.sleep(4000)"
    content = {"code": code, "silent": False, "store_history": True, "user_expressions": {}, "allow_stdin": False}
    line.send(request("execute_request", content | {"stop_on_error": True}))
    until("the cell to begin", lambda: os.path.exists("at-work"))
    until("the kernel to be busy", lambda: state() == "busy")
    print("busy")


def shut(kernel):
    ask("DELETE", f"kernels/{kernel}")
    print(len(ask("GET", "kernels")), "kernels")


def runs(command):
    """Whether a process of this command line is there."""
    for process in filter(str.isdecimal, os.listdir("/proc")):
        try:
            with open(f"/proc/{process}/cmdline", "rb") as line:
                if line.read().decode().split("\0")[:-1] == command.split():
                    return True
        except OSError:  # it has ended
            pass
    return False


def terminal(command):
    """Types a command into a new terminal, and waits until it runs."""
    name = until("a terminal", lambda: ask("POST", "terminals", {}))["name"]
    line = channel(f"terminals/websocket/{name}")
    said = ""
    while "$ " not in said:
        kind, *what = json.loads(line.recv())
        said += what[0] if kind == "stdout" else ""
    line.send(json.dumps(["stdin", command + "\r"]))
    until("the command to run", lambda: runs(command))
    print("runs")


{"kernel": kernel, "work": work, "shut": shut, "terminal": terminal}[sys.argv[1]](*sys.argv[2:])
