"""CheckInstance's one call in Python: the same answer for the same instance, from a client made at import."""

import boto3

sagemaker = boto3.client("sagemaker")


def handle(event, context):
    instance = event["run"]["instance"]
    seen = sagemaker.describe_notebook_instance(NotebookInstanceName=instance)
    decisions = {"Stopped": "start", "InService": "ready"}
    return {"decision": decisions.get(seen["NotebookInstanceStatus"], "wait")}
