"""Who may use the local AWS: whoever knows the access key of this start.

Loopback is not private: a web page in a browser on this machine reaches it, and so does every other user. ministack
answers any preflight with `*`, and looks neither at a signature nor at Host. So everything that it serves passes here
first, whatever the path, the method or the protocol:

- its gateway, which is an ASGI application, and has no other door. A request is refused that has an Origin, a
  Sec-Fetch-Site other than `none`, another Host than the address that is listened on, or no credential (Signature
  Version 4 in the header or presigned; presigned with Version 2) with the access key of this start. No signature is verified:
  the key is the secret.
- the runtime APIs of the functions, each of which listens on a port of its own. Lambda's protocol has no credential,
  so who is at the other end of the connection is what counts: the user who runs this.

The key is AWS_ACCESS_KEY_ID of this process. Functions get it too: ministack would give them the account's number.
"""

import http.server
import json
import os
import re
import time
import urllib.parse

# A credential is a key, a slash and its scope.
SIGNED = re.compile(r"AWS4-[A-Z0-9-]+ .*?Credential=([^/, ]+)/[^/]*/[^/]*/([^/]*)/")
# Their errors are XML; the others' are JSON. Nothing is known of a request without a credential: a browser's, curl's.
XML = {"s3", "cloudformation", "iam", "sns", "sts", ""}
# The table of sockets is no snapshot: a row may be missed while others come and go.
LOOKS = 20
LOOK_SECONDS = 0.01


def refusal(headers, host, forwarded=()):
    """Why a request with these headers (pairs of strings, names in lower case) is refused, but for its credential."""
    values = {}
    for name, value in headers:
        values.setdefault(name, []).append(value)
    if "origin" in values or any(site != "none" for site in values.get("sec-fetch-site", ())):
        return (
            "A web page sent this request (it has an Origin or a Sec-Fetch-Site), and no page may use the local AWS. "
            "Use the aws command or an SDK."
        )
    if values.get("host") not in [[name] for name in (host, *forwarded)]:
        return f"The request is not for {host}. Use http://{host} as the endpoint."
    return None


def credential(headers, query):
    """The access key and the service that a request names; two empty strings if it names none."""
    for name, value in headers:
        if name == "authorization":
            signed = SIGNED.match(value)
            return signed.groups() if signed else ("", "")
    values = urllib.parse.parse_qs(query, max_num_fields=1000)
    if "X-Amz-Credential" in values:
        parts = values["X-Amz-Credential"][0].split("/")
        return parts[0], parts[3] if len(parts) > 3 else ""
    return values.get("AWSAccessKeyId", [""])[0], ""


def guarded(application, key, host, forwarded=()):
    """The ASGI application, behind the look at each request."""
    other_key = (
        "The request's credential is not the access key of this local AWS. Take AWS_ACCESS_KEY_ID from what the local "
        "AWS printed at its start: each start has a key of its own."
    )

    async def guard(scope, receive, send):
        if scope["type"] == "lifespan":
            return await application(scope, receive, send)
        headers = [(name.decode("latin-1").lower(), value.decode("latin-1")) for name, value in scope["headers"]]
        try:
            named, service = credential(headers, scope["query_string"].decode("latin-1"))
        except ValueError:
            # More fields than a request has.
            named, service = "", ""
        why = refusal(headers, host, forwarded) or (None if named == key else other_key)
        if why is None:
            return await application(scope, receive, send)
        if scope["type"] == "websocket":
            await receive()
            return await send({"type": "websocket.close", "code": 1008})
        kind, body = denied(service, why)
        answer_headers = [
            (b"content-type", kind),
            (b"content-length", str(len(body)).encode()),
            (b"x-amzn-errortype", b"AccessDeniedException"),
            # What is left of its body is not read.
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": 403, "headers": answer_headers})
        await send({"type": "http.response.body", "body": body})

    return guard


def denied(service, why):
    """The answer in the service's own form: a client shows it to its user. `why` has no text of the request in it."""
    if service not in XML:
        return b"application/json", json.dumps({"__type": "AccessDeniedException", "message": why}).encode()
    error = f"<Error><Code>AccessDenied</Code><Message>{why}</Message></Error>"
    return b"application/xml", (error if service in ("s3", "") else f"<ErrorResponse>{error}</ErrorResponse>").encode()


def is_this_users(port, peer_port):
    """Whether the other end of a connection to a port of ours is a socket that a process of this user holds open."""
    ours, theirs = f"0100007F:{port:04X}", f"0100007F:{peer_port:04X}"
    for _ in range(LOOKS):
        # A socket of both protocol versions stands in the second one.
        for table in ("/proc/self/net/tcp", "/proc/self/net/tcp6"):
            try:
                with open(table, encoding="ascii") as rows:
                    for row in rows:
                        fields = row.split()
                        # One that its process has closed has no inode any more, and user 0.
                        if fields[1].endswith(theirs) and fields[2].endswith(ours) and fields[9] != "0":
                            return int(fields[7]) == os.getuid()
            except OSError:
                # A kernel without that version.
                continue
        time.sleep(LOOK_SECONDS)
    return False


def guard_runtime_apis():
    """Every server of Python's own in this process, which are the functions' runtime APIs, looks at who asks."""
    parse_request = http.server.BaseHTTPRequestHandler.parse_request

    def parse_and_look(handler):
        if not parse_request(handler):
            return False
        port = handler.server.server_address[1]
        headers = [(name.lower(), value) for name, value in handler.headers.items()]
        why = refusal(headers, f"127.0.0.1:{port}")
        if why is None and not getattr(handler, "reveille_known", False):
            handler.reveille_known = is_this_users(port, handler.client_address[1])
            if not handler.reveille_known:
                why = "The function of another user is not served."
        if why is None:
            return True
        # The rest of the request must not be read as the next one.
        handler.close_connection = True
        handler.send_error(403, explain=why)
        return False

    http.server.BaseHTTPRequestHandler.parse_request = parse_and_look


def give_functions(credentials):
    """Every function's credentials have these too, or in their place: variables, from the function's configuration."""
    from ministack.core import lambda_runtime
    from ministack.services import lambda_svc

    execution_credentials = lambda_runtime.execution_credentials

    def with_these(config):
        return {**execution_credentials(config), **credentials(config)}

    for module in (lambda_runtime, lambda_svc):
        assert module.execution_credentials is execution_credentials
        module.execution_credentials = with_these


def install():
    """Puts the guard before all that this process will serve."""
    import ministack.app

    key = os.environ["AWS_ACCESS_KEY_ID"]
    ports = os.environ.get("REVEILLE_FORWARDED_PORTS", "").split(",")
    forwarded = [f"127.0.0.1:{port}" for port in ports if port]
    ministack.app.app = guarded(ministack.app.app, key, f"127.0.0.1:{os.environ['GATEWAY_PORT']}", forwarded)
    give_functions(lambda _config: {"AWS_ACCESS_KEY_ID": key})
    guard_runtime_apis()
