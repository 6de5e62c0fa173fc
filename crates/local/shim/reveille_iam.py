"""Roles may do what their policies allow, and no more.

ministack enforces IAM where it verifies signatures, which the local AWS does not: the access key is the secret (see
docs/local-differences.md). But whoever signs with a role says so with the session token (see reveille_calls.py), and so each request
of a role is held here against that role's policies and its permissions boundary, and against the policy of the bucket, the key or the queue,
by ministack's own evaluation of them. What is denied is answered as AWS answers it.

- A role that IAM does not know has no policies to be held against: only resources may deny it something. The roles that
  the local instances name are such.
- A request that ministack's tables do not know is let through. The notes have it as unknown.
- Reading an object that is not there is denied to whoever may not list the bucket, as on AWS.
- What ministack does as a role without a request (an invocation, a delivery) is not held against anything; the notes have it.

The notebook instance service is another server. It asks here before it carries out what a role calls: POST on PATH with `role`,
`action` and `resource`, answered with `denied`, which is AWS's sentence or null.

Requests arrive over HTTP, and stand for requests with TLS: so a policy that asks for TLS denies nothing here.
"""

import json
import uuid

import reveille_calls

PATH = "/_reveille/authorize"


def evaluated(role, action, resource, pairs):
    """What a role's own policies and its boundary say of a call with pairs of context: the decision, the context, the limits (the boundary,
    if it has one) and what IAM knows of the role. A role that it does not know may do everything."""
    from ministack.core import iam_evaluator as evaluator
    from ministack.core.responses import get_region
    from ministack.services import iam

    account, name = role.split(":")[4], role.rsplit("/", 1)[-1]
    context = evaluator.EvalContext(
        principal_arn=role,
        principal_type="AssumedRole",
        principal_account=account,
        action=action,
        resource_arn=resource,
        region=get_region(),
        secure_transport=True,
        service_context={key.lower(): value for key, value in pairs},
    )
    limits, decided = (), evaluator.EvalResult("Allow", role)
    known = iam._roles.get_scoped(account, None, name)
    if known is not None and known["Arn"] == role:
        limits = evaluator._permissions_boundary(iam._roles, name, account)
        decided = evaluator.evaluate(context, evaluator._gather_role_policies(name, account), *limits)
    return decided, context, limits, known


def denial(role, call):
    """The decision that denies a call (an action, its resource and pairs of context) to a role; none if it is allowed."""
    from ministack.core import iam_evaluator as evaluator

    action, resource, *pairs = call
    if action.endswith(":unknown"):
        return None
    decided, context, limits, known = evaluated(role, action, resource, pairs[0] if pairs else ())
    # The policy that counts is that of the service whose action it is: a key's, where S3 uses one.
    asked = action.split(":")[0]
    found = evaluator._resource_policy(asked, resource)
    if found is not None and found[0]:
        required = asked in evaluator._POLICY_REQUIRED and known is not None
        decided = evaluator.combine_resource_policy(decided, context, *found, required=required, limits=limits)
    return None if decided.decision == "Allow" else decided


def first_denial(role, calls):
    """The first of some calls that is denied, with the decision."""
    for call in calls:
        decided = denial(role, call)
        if decided is not None:
            return call, decided
    return None


def answer(service, role, denied, headers):
    """Status, headers and body of what AWS answers."""
    from ministack.core import iam_actions

    (action, resource, *_), decided = denied
    return iam_actions.access_denied_response(
        service,
        action,
        role,
        str(uuid.uuid4()),
        headers=headers,
        message=sentence(role, action, resource, decided),
    )


def sentence(role, action, resource, decided):
    """As AWS says it. It says "with an explicit deny in a resource-based policy" where a policy of the resource decided."""
    from ministack.core import iam_actions

    explicit = decided.decision == "Deny"
    if explicit and decided.resource_policy_arn:
        return iam_actions._resource_policy_denial(action.split(":")[0], action, role, decided.resource_policy_arn)
    return iam_actions.identity_denial_message(action, role, resource, explicit)


async def whole(receive, limit):
    """The messages of a request's body up to a size, and its bytes; what follows is still to be received."""
    messages, body = [], bytearray()
    while len(body) < limit:
        message = await receive()
        messages.append(message)
        body.extend(message.get("body", b""))
        if message["type"] != "http.request" or not message.get("more_body"):
            break
    return messages, bytes(body)


def enforcing(application):
    """The ASGI application; requests of roles are held against policies before it sees them."""

    async def refuse(send, method, status, headers, body):
        sent = [(name.lower().encode(), value.encode()) for name, value in headers.items()]
        sent += [(b"content-length", str(len(body)).encode()), (b"connection", b"close")]
        await send({"type": "http.response.start", "status": status, "headers": sent})
        await send({"type": "http.response.body", "body": b"" if method == "HEAD" else body})

    async def enforced(scope, receive, send):
        if scope["type"] != "http":
            return await application(scope, receive, send)
        if scope["path"] == PATH:
            return await authorize(receive, send)
        role, service, path, query, headers = reveille_calls.read(scope)
        if role is None:
            return await application(scope, receive, send)
        messages, body = ([], b"")
        if "x-amz-target" in headers:
            messages, body = await whole(receive, reveille_calls.BODY_LIMIT)

        def denied(status):
            try:
                calls = reveille_calls.of_request(service, scope["method"], path, headers, query, body, status)
            except (ValueError, KeyError, TypeError):
                # A body that is none of this service's: it says so itself.
                return None
            return first_denial(role, calls)

        # As if it succeeded: then a bucket's key is asked for, too.
        found = denied(200)
        if found is not None:
            return await refuse(send, scope["method"], *answer(service, role, found, headers))

        async def replayed():
            return messages.pop(0) if messages else await receive()

        hidden = False

        async def unless_hidden(message):
            nonlocal hidden
            if message["type"] == "http.response.start" and message["status"] == 404:
                found = denied(404)
                if found is not None:
                    hidden = True
                    return await refuse(send, scope["method"], *answer(service, role, found, headers))
            if not hidden:
                await send(message)

        await application(scope, replayed, unless_hidden)

    async def authorize(receive, send):
        _, body = await whole(receive, reveille_calls.BODY_LIMIT)
        asked = json.loads(body)
        call = (asked["action"], asked["resource"])
        decided = denial(asked["role"], call)
        said = None if decided is None else sentence(asked["role"], *call, decided)
        body = json.dumps({"denied": said}).encode()
        await refuse(send, "POST", 200, {"content-type": "application/json"}, body)

    return enforced


def install():
    """Puts the policies before what will be served."""
    import ministack.app

    ministack.app.app = enforcing(ministack.app.app)
