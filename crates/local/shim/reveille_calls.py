"""Who called what: the calls that roles make, noted where they arrive, so that tests can hold them against the roles' policies.

Each function and each instance gets, as its session token, the ARN of its role: whoever signs a request says with it
which role makes it. (The key is the secret; a token opens nothing here.) A person's requests have no such token and are not
noted. What ministack does by itself as a role, it does without a request: the shim notes it.

An action and its resource are named as IAM does, by ministack's own tables, and by what AWS asks for besides:

- reading an object that is not there: s3:ListBucket, without which AWS answers that it is denied;
- a change on the condition that an object has an entity tag: s3:GetObject on that object;
- an object in a bucket with a KMS key: kms:Decrypt to read it, kms:GenerateDataKey to write it, by way of S3.

With each call is what AWS would send along and conditions of policies ask for: its keys are those of the documents. A service that
acts without a role, or that takes one, is noted by its own name (events.amazonaws.com).

The file (REVEILLE_CALLS) has a line of JSON for each different call, written before the call is answered: whoever has
the answer finds the call there. Nothing of a body but names is in it.
"""

import json
import os
import sys
import threading
import urllib.parse

import reveille_guard

# Bodies of the JSON protocols are read up to this size, of which AWS takes no larger ones. Objects are not read.
BODY_LIMIT = 2**20
# Different calls that are noted, so that a loop fills no disk. A whole run of the tests has some thousands.
CALLS_LIMIT = 100_000
TOKEN = "x-amz-security-token"

_lock = threading.Lock()
_seen = set()


def note(role, action, resource, context=()):
    """Writes a call down, unless it is known. A call does not fail because it could not be noted. `context`: pairs."""
    context = tuple(sorted(context))
    with _lock:
        if len(_seen) == CALLS_LIMIT and (role, action, resource, context) not in _seen:
            # No policy grants this, so whoever reads the notes sees that they are not all.
            action, resource, context = "reveille:unknown", "too many calls", ()
        call = (role, action, resource, context)
        if call in _seen or len(_seen) > CALLS_LIMIT:
            return
        line = {"role": role, "action": action, "resource": resource, "context": dict(context)}
        try:
            with open(os.environ["REVEILLE_CALLS"], "a", encoding="utf-8") as calls:
                calls.write(json.dumps(line) + "\n")
        except OSError as error:
            print(f"could not record a call of {role}: {error}", file=sys.stderr, flush=True)
            return
        _seen.add(call)


def taken(service, role):
    """A service takes a role. No document promises `aws:SourceAccount` then, so it is not sent."""
    note(service, "sts:AssumeRole", role)


def is_role(token):
    """Whether this is what stands for a role here. Another token is nobody's business."""
    return token.startswith("arn:") and ":role/" in token


def read(scope):
    """What a request says of itself: the role that makes it (or nothing), the service, the path, the query, and its headers by name."""
    headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
    token = headers.get(TOKEN, "")
    service = reveille_guard.credential(list(headers.items()), "")[1]
    path = urllib.parse.unquote(scope.get("raw_path", scope["path"].encode()).split(b"?")[0].decode("latin-1"))
    return token if is_role(token) else None, service, path, scope["query_string"].decode("latin-1"), headers


def of_request(service, method, path, headers, query, body, status):
    """What a request asks for: actions with their resources, and with their context where there is one."""
    from ministack.core import iam_actions
    from ministack.core.responses import get_account_id, get_region

    query = urllib.parse.parse_qs(query, keep_blank_values=True)
    asked = (service, method, path, headers, body, query)
    action = iam_actions.extract_iam_action(*asked)
    if action == "events:PutEvents":
        return events(body, get_region(), get_account_id())
    if action is None:
        # Whoever reads the notes sees that something was not understood.
        return [(f"{service}:unknown", f"{method} {path}")]
    resource = iam_actions.extract_resource_arn(*asked, get_region(), get_account_id())
    pairs = [(action, resource)]
    if service == "s3":
        pairs += iam_actions.s3_additional_checks(method, path, headers, body, query)
        if status == 404 and method in ("GET", "HEAD"):
            pairs.append(("s3:ListBucket", resource.split("/")[0]))
        if method in ("PUT", "DELETE") and headers.get("if-match", "*") != "*":
            pairs.append(("s3:GetObject", resource))
        if 200 <= status < 300:
            pairs += [call for checked in pairs for call in by_the_key(*checked, get_region())]
    return pairs


def events(body, region, account):
    """Each source of a PutEvents, with the bus that it goes to: AWS looks at each entry by itself."""
    calls = []
    for entry in json.loads(body)["Entries"]:
        bus = entry.get("EventBusName") or "default"
        bus = bus if bus.startswith("arn:") else f"arn:aws:events:{region}:{account}:event-bus/{bus}"
        calls.append(("events:PutEvents", bus, [("events:source", entry["Source"])]))
    return calls


def by_the_key(action, resource, region):
    """What S3 asks KMS as the role for an object of a bucket that has a key."""
    from ministack.services import s3

    asked = {"s3:GetObject": "kms:Decrypt", "s3:PutObject": "kms:GenerateDataKey"}.get(action)
    if asked is None:
        return []
    bucket = resource.split(":::", 1)[-1].split("/", 1)[0]
    key = s3._bucket_default_sse_headers(bucket).get("x-amz-server-side-encryption-aws-kms-key-id")
    return [(asked, key, [("kms:ViaService", f"s3.{region}.amazonaws.com")])] if key else []


def noting(application):
    """The ASGI application; the calls of roles are noted before they are answered."""

    async def noted(scope, receive, send):
        if scope["type"] != "http":
            return await application(scope, receive, send)
        role, service, path, query, headers = read(scope)
        if role is None:
            return await application(scope, receive, send)
        body, answered = bytearray(), False

        def note_it(status):
            try:
                pairs = of_request(service, scope["method"], path, headers, query, bytes(body), status)
            except Exception as error:  # Whatever it was, no policy grants it, and so it is told.
                pairs = [(f"{service}:unknown", repr(error))]
            for call in pairs:
                note(role, *call)

        async def receive_and_keep():
            message = await receive()
            if "x-amz-target" in headers and len(body) < BODY_LIMIT:
                body.extend(message.get("body", b""))
            return message

        async def note_and_send(message):
            nonlocal answered
            if message["type"] == "http.response.start" and not answered:
                answered = True
                note_it(message["status"])
            await send(message)

        try:
            await application(scope, receive_and_keep, note_and_send)
        finally:
            if not answered:
                note_it(0)

    return noted


def install():
    """Puts the notes before what will be served, and each function's role into its credentials."""
    import ministack.app

    def credentials(config):
        taken("lambda.amazonaws.com", config["Role"])
        return {"AWS_SESSION_TOKEN": config["Role"]}

    ministack.app.app = noting(ministack.app.app)
    reveille_guard.give_functions(credentials)
