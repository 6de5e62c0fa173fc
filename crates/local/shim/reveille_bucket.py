"""Buckets that CloudFormation makes, with the settings that ministack's CloudFormation leaves out, and policies that deny.

On AWS a bucket of a template has its encryption, its expiry, its access logs and its owner's controls. ministack's S3 knows all of
these, and its CloudFormation passes on only a few others. This file hands them to its S3, in the form of the S3 API.

On AWS a bucket's policy counts. ministack looks at it only where it enforces IAM, which the local AWS does not (see
docs/local-differences.md). Here a request of a role is refused where the policy of the bucket denies it by name or for everybody,
by ministack's own evaluation of policies. What a policy does not deny is not looked at: nothing here grants anything.

Requests arrive over HTTP, and stand for requests with TLS: so a policy that asks for TLS denies nothing here.
"""

import urllib.parse
from xml.etree.ElementTree import Element, SubElement, tostring
from xml.sax.saxutils import escape

import reveille_calls
import reveille_guard


def _add(parent, name, value):
    """An element with a text: CloudFormation gives numbers and truth values as text or as they are."""
    text = str(value).lower() if isinstance(value, bool) else str(value)
    SubElement(parent, name).text = text


def encryption(given):
    """`BucketEncryption` as the body of PutBucketEncryption."""
    root = Element("ServerSideEncryptionConfiguration")
    for rule in given["ServerSideEncryptionConfiguration"]:
        element = SubElement(root, "Rule")
        default = SubElement(element, "ApplyServerSideEncryptionByDefault")
        for name, value in rule["ServerSideEncryptionByDefault"].items():
            _add(default, name, value)
        _add(element, "BucketKeyEnabled", rule.get("BucketKeyEnabled", False))
    return tostring(root)


def lifecycle(given):
    """`LifecycleConfiguration` as the body of PutBucketLifecycleConfiguration."""
    root = Element("LifecycleConfiguration")
    for rule in given["Rules"]:
        element = SubElement(root, "Rule")
        _add(element, "ID", rule["Id"])
        _add(element, "Status", rule["Status"])
        _add(SubElement(element, "Filter"), "Prefix", rule.get("Prefix", ""))
        for property_name, name, part in (
            ("ExpirationInDays", "Expiration", "Days"),
            ("ExpiredObjectDeleteMarker", "Expiration", "ExpiredObjectDeleteMarker"),
        ):
            if property_name in rule:
                _add(SubElement(element, name), part, rule[property_name])
        for name in ("NoncurrentVersionExpiration", "AbortIncompleteMultipartUpload"):
            for part, value in rule.get(name, {}).items():
                _add(SubElement(element, name), part, value)
    return tostring(root)


def ownership(given):
    """`OwnershipControls` as the body of PutBucketOwnershipControls."""
    root = Element("OwnershipControls")
    for rule in given["Rules"]:
        _add(SubElement(root, "Rule"), "ObjectOwnership", rule["ObjectOwnership"])
    return tostring(root)


def logging(given):
    """`LoggingConfiguration` as the body of PutBucketLogging."""
    root = Element("BucketLoggingStatus")
    element = SubElement(root, "LoggingEnabled")
    _add(element, "TargetBucket", given["DestinationBucketName"])
    _add(element, "TargetPrefix", given.get("LogFilePrefix", ""))
    return tostring(root)


def denial(method, path, headers, query, role):
    """The action of a role's request that the policy of the bucket denies, and its resource; none if it denies nothing."""
    from ministack.core import iam_evaluator
    from ministack.core.responses import get_region
    from ministack.services import s3

    for action, resource, *_ in reveille_calls.of_request("s3", method, path, headers, query, b"", 0):
        found = s3.bucket_policy_for_arn(resource)
        if not found or not found[0]:
            continue
        context = iam_evaluator.EvalContext(
            principal_arn=role,
            principal_type="AssumedRole",
            principal_account=found[1],
            action=action,
            resource_arn=resource,
            region=get_region(),
            secure_transport=True,
        )
        if iam_evaluator.evaluate_resource_policy(found[0], context).decision == "Deny":
            return action, resource
    return None


def enforcing(application):
    """The ASGI application; a request of a role to S3 is refused where the bucket's policy denies it."""

    async def enforced(scope, receive, send):
        if scope["type"] != "http":
            return await application(scope, receive, send)
        headers = {name.decode("latin-1").lower(): value.decode("latin-1") for name, value in scope["headers"]}
        role = headers.get(reveille_calls.TOKEN, "")
        if not reveille_calls.is_role(role) or reveille_guard.credential(list(headers.items()), "")[1] != "s3":
            return await application(scope, receive, send)
        path = urllib.parse.unquote(scope.get("raw_path", scope["path"].encode()).split(b"?")[0].decode("latin-1"))
        denied = denial(scope["method"], path, headers, scope["query_string"].decode("latin-1"), role)
        if denied is None:
            return await application(scope, receive, send)
        action, resource = denied
        # What AWS says: "User: ... is not authorized to perform: ... with an explicit deny in a resource-based policy".
        why = (
            f"User: {role} is not authorized to perform: {action} on resource: \"{resource}\" with an explicit deny in a "
            "resource-based policy"
        )
        body = f"<Error><Code>AccessDenied</Code><Message>{escape(why)}</Message></Error>".encode()
        answer_headers = [
            (b"content-type", b"application/xml"),
            (b"content-length", str(len(body)).encode()),
            (b"connection", b"close"),
        ]
        await send({"type": "http.response.start", "status": 403, "headers": answer_headers})
        await send({"type": "http.response.body", "body": b"" if scope["method"] == "HEAD" else body})

    return enforced


def install():
    """Gives buckets their settings, and puts their policies before what will be served."""
    import ministack.app
    from ministack.services import s3
    from ministack.services.cloudformation import provisioners

    def unlogged(name):
        s3._put_bucket_logging(name, b"<BucketLoggingStatus/>")

    new = (
        ("BucketEncryption", encryption, s3._put_bucket_encryption, s3._delete_bucket_encryption),
        ("LifecycleConfiguration", lifecycle, s3._put_bucket_lifecycle, s3._delete_bucket_lifecycle),
        ("LoggingConfiguration", logging, s3._put_bucket_logging, unlogged),
        ("OwnershipControls", ownership, s3._put_bucket_ownership_controls, s3._delete_bucket_ownership_controls),
    )
    known = {name for name, *_ in provisioners._S3_BUCKET_CONFIGURATIONS}
    assert not known & {name for name, *_ in new}, "ministack knows them: this file is not needed"

    def checked(put):
        def put_or_fail(name, body):
            status, _, said = put(name, body)
            if status >= 300:
                raise ValueError(f"{name}: {said.decode(errors='replace')}")

        return put_or_fail

    new = tuple((name, to_xml, checked(put), delete) for name, to_xml, put, delete in new)
    provisioners._S3_BUCKET_CONFIGURATIONS += new
    ministack.app.app = enforcing(ministack.app.app)
