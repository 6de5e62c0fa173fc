"""Custom resources of CloudFormation: the address at which their functions answer.

On AWS it is a presigned address of S3, so that whoever has it may put an answer there, and nobody else. ministack's names
`localhost` and no credential, and would be refused by reveille_guard.py. This gives it the host that is listened on and the
access key of this start, in the form of a presigned address.
"""

import os
import urllib.parse


def response_url(token):
    """Where the answer of one request is put."""
    scope = f"{os.environ['AWS_ACCESS_KEY_ID']}/20000101/{os.environ.get('AWS_REGION', 'us-east-1')}/s3/aws4_request"
    query = urllib.parse.urlencode({"X-Amz-Algorithm": "AWS4-HMAC-SHA256", "X-Amz-Credential": scope})
    return f"http://127.0.0.1:{os.environ['GATEWAY_PORT']}/_ministack/cfn-response/{token}?{query}"


def install():
    """Makes CloudFormation hand out such addresses."""
    from ministack.services.cloudformation import custom_resource

    assert custom_resource._response_url("t").endswith("/_ministack/cfn-response/t")
    custom_resource._response_url = response_url
