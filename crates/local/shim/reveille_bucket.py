"""Buckets that CloudFormation makes, with the settings that ministack's CloudFormation leaves out.

On AWS a bucket of a template has its encryption, its expiry, its access logs and its owner's controls. ministack's S3 knows all of
these, and its CloudFormation passes on only a few others. This file hands them to its S3, in the form of the S3 API.
"""

from xml.etree.ElementTree import Element, SubElement, tostring


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


def install():
    """Gives buckets their settings."""
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
