"""A Livy server on 127.0.0.1, as much of it as sparkmagic asks for: one session, and statements that Spark ran, or refused.

Prints its port. A statement whose code has `boom` is one that Spark refused.
"""

import json
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

SESSION = {"id": 0, "appId": "app", "owner": None, "kind": "pyspark", "state": "idle", "appInfo": {}, "log": []}
STATEMENTS = []


class Livy(BaseHTTPRequestHandler):
    def answer(self, body, status=200):
        text = json.dumps(body).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(text)))
        self.end_headers()
        self.wfile.write(text)

    def do_POST(self):
        body = json.loads(self.rfile.read(int(self.headers.get("Content-Length") or 0)) or "{}")
        if not self.path.endswith("/statements"):
            return self.answer(SESSION, 201)
        code = body["code"]
        if "boom" in code:
            traceback = ["Traceback (most recent call last):\n", "ValueError: no such table\n"]
            output = {"status": "error", "ename": "ValueError", "evalue": "no such table", "traceback": traceback}
        else:
            output = {"status": "ok", "data": {"text/plain": f"Spark ran {len(code)} characters"}}
        STATEMENTS.append({"id": len(STATEMENTS), "state": "available", "output": output})
        return self.answer(STATEMENTS[-1], 201)

    def do_GET(self):
        parts = self.path.split("?")[0].strip("/").split("/")
        if parts[2:3] == ["statements"]:
            return self.answer(STATEMENTS[int(parts[3])])
        if parts[2:3] == ["log"]:
            return self.answer({"id": 0, "log": []})
        return self.answer(SESSION if len(parts) > 1 else {"sessions": [SESSION]})

    def do_DELETE(self):
        self.answer({"msg": "deleted"})

    def log_message(self, *_):
        pass


server = ThreadingHTTPServer(("127.0.0.1", 0), Livy)
print(server.server_port, flush=True)
server.serve_forever()
