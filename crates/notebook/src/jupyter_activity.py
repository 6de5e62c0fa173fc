"""Ask a Jupyter server about its kernels and terminals; print one JSON object.

Started as `python -I -c <this> <base url>`; a token, where one is needed, is in REVEILLE_JUPYTER_TOKEN.
What was learnt before something went wrong is printed too: a busy kernel is busy, whatever the terminals answer.
"""

import json
import os
import ssl
import sys
import urllib.error
import urllib.request

# A server on the same machine answers in milliseconds, unless a notebook keeps the machine busy.
SECONDS = 10
# A person's few kernels are a few kilobytes.
MAX_BYTES = 1 << 20

# The instance's own server shows a certificate that it signed itself; it is asked on the loopback only.
context = ssl.create_default_context()
context.check_hostname = False
context.verify_mode = ssl.CERT_NONE
opener = urllib.request.build_opener(urllib.request.ProxyHandler({}), urllib.request.HTTPSHandler(context=context))


def get(path):
    request = urllib.request.Request(sys.argv[1].rstrip("/") + path)
    token = os.environ.get("REVEILLE_JUPYTER_TOKEN")
    if token:
        request.add_header("Authorization", "token " + token)
    with opener.open(request, timeout=SECONDS) as response:
        answer = json.loads(response.read(MAX_BYTES))
    if not isinstance(answer, list):
        raise ValueError(f"{path} answered with no list")
    return [entry for entry in answer if isinstance(entry, dict)]


def refused(error):
    """Whether nobody listens: the kind of the error says so, never its text."""
    return isinstance(getattr(error, "reason", error), ConnectionRefusedError)


def main():
    answer = {"busy_kernels": 0, "terminals": 0, "seen": [], "problem": None}

    def add(entries):
        times = (entry.get("last_activity") for entry in entries)
        answer["seen"] += [time for time in times if isinstance(time, str)]

    try:
        kernels = get("/api/kernels")
        answer["busy_kernels"] = sum(kernel.get("execution_state") == "busy" for kernel in kernels)
        add(kernels)
        try:
            terminals = get("/api/terminals")
        except urllib.error.HTTPError as error:
            if error.code != 404:  # a server without terminals
                raise
            terminals = []
        answer["terminals"] = len(terminals)
        add(terminals)
    except Exception as error:
        answer["problem"] = {"refused": refused(error), "reason": f"{type(error).__name__}: {error}"[:500]}
    print(json.dumps(answer))


main()
