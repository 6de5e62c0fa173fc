"""IAM's simulation of a role's policies: SimulatePrincipalPolicy.

ministack has it, but it leaves out the permissions boundary and what the caller says of the request, takes the first resource only, and
answers of a role that it does not know that nothing is allowed. Here the same evaluation answers that holds the roles to
their policies (see reveille_iam.py), so that what is simulated and what happens agree:

- Context entries count, and the boundary; the answer says whether the boundary allows it.
- A role that IAM does not know, as those that the local instances name, is allowed everything, because its calls are. AWS answers NoSuchEntity.
- As on AWS, the policies of buckets, keys and queues are not looked at.
"""

import itertools
from xml.sax.saxutils import escape

import reveille_iam


def members(parameters, *path):
    """The members of a list in a query: NAME.member.1 and so on."""
    name, *rest = path
    for number in itertools.count(1):
        value = parameters.get(".".join((name, "member", str(number), *rest)))
        if value is None:
            return
        yield value[0] if isinstance(value, list) else value


def context_of(parameters):
    """What the caller says of the request: key and first value."""
    keys = members(parameters, "ContextEntries", "ContextKeyName")
    values = members(parameters, "ContextEntries", "ContextKeyValues", "member", "1")
    return {key.lower(): value for key, value in zip(keys, values, strict=False)}


def decided(role, action, resource, context):
    """The decision, and whether the boundary allows it (none: it has no boundary)."""
    from ministack.core import iam_evaluator as evaluator

    result, asked, limits, _ = reveille_iam.evaluated(role, action, resource, context.items())
    words = {"Allow": "allowed", "Deny": "explicitDeny"}
    within = evaluator.evaluate(asked, limits[0]).decision == "Allow" if limits else None
    return words.get(result.decision, "implicitDeny"), within


def simulate(parameters):
    """The API."""
    from ministack.services import iam

    role = iam._p(parameters, "PolicySourceArn")
    context = context_of(parameters)
    resources = list(members(parameters, "ResourceArns")) or ["*"]
    results = ""
    for action, resource in itertools.product(members(parameters, "ActionNames"), resources):
        decision, within = decided(role, action, resource, context)
        boundary = "" if within is None else (
            "<PermissionsBoundaryDecisionDetail><AllowedByPermissionsBoundary>"
            f"{str(within).lower()}</AllowedByPermissionsBoundary></PermissionsBoundaryDecisionDetail>"
        )
        results += (
            f"<member><EvalActionName>{escape(action)}</EvalActionName><EvalResourceName>{escape(resource)}</EvalResourceName>"
            f"<EvalDecision>{decision}</EvalDecision>{boundary}<MatchedStatements/><MissingContextValues/></member>"
        )
    body = f"<EvaluationResults>{results}</EvaluationResults><IsTruncated>false</IsTruncated>"
    name = "SimulatePrincipalPolicy"
    return iam._xml(200, f"{name}Response", f"<{name}Result>{body}</{name}Result>", ns="iam")


def install():
    """Puts it in the place of ministack's."""
    from ministack.services import iam

    iam._IAM_HANDLERS["SimulatePrincipalPolicy"] = simulate
