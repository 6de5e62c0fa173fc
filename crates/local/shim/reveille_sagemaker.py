"""CloudFormation's types of SageMaker notebook instances, which ministack's CloudFormation does not know.

Each is carried out by calls of the notebook instance service (AWS_ENDPOINT_URL_SAGEMAKER), which has the properties of
the types under the same names and refuses what SageMaker refuses. As CloudFormation does, a creation waits until the
instance is InService, an update stops it, changes it and starts it again, and a deletion stops it first. All of them
wait on a thread of their own: whatever they wait for may need ministack, which must answer meanwhile.
"""

import http.client
import json
import os
import time
import urllib.parse

CONFIG = "AWS::SageMaker::NotebookInstanceLifecycleConfig"
INSTANCE = "AWS::SageMaker::NotebookInstance"
CONFIG_NAME = "NotebookInstanceLifecycleConfigName"
INSTANCE_NAME = "NotebookInstanceName"
# Any other change needs a new instance.
CHANGEABLE = (
    "InstanceType",
    "RoleArn",
    "LifecycleConfigName",
    "VolumeSizeInGB",
    "RootAccess",
    "InstanceMetadataServiceConfiguration",
)
# An instance is not waited for longer than this; a local one takes seconds, a machine a minute, on a busy one several.
LIMIT_SECONDS = 600
LOOK_SECONDS = 0.2
# What an instance stays in; it leaves any other state by itself. `None`: it is gone.
SETTLED = (None, "InService", "Stopped", "Failed")


def call(operation, **members):
    """One call of the API; an error is raised with its own text."""
    endpoint = urllib.parse.urlsplit(os.environ["AWS_ENDPOINT_URL_SAGEMAKER"])
    key = os.environ["AWS_ACCESS_KEY_ID"]
    headers = {
        "Content-Type": "application/x-amz-json-1.1",
        "X-Amz-Target": f"SageMaker.{operation}",
        "Authorization": f"AWS4-HMAC-SHA256 Credential={key}/x/x/sagemaker/aws4_request",
        "User-Agent": "cloudformation.amazonaws.com",
    }
    connection = http.client.HTTPConnection(endpoint.hostname, endpoint.port, timeout=60)
    try:
        connection.request("POST", "/", json.dumps(members), headers)
        answer = connection.getresponse()
        body = json.loads(answer.read())
    finally:
        connection.close()
    if answer.status != 200:
        raise ValueError(f"{operation}: {body.get('message', body)}")
    return body


def described(name):
    """The instance's description; `None` once it is gone."""
    try:
        return call("DescribeNotebookInstance", **{INSTANCE_NAME: name})
    except ValueError as error:
        if "RecordNotFound" in str(error):
            return None
        raise


def looks(name):
    """The instance's status at each look, and its description, for as long as it is waited for."""
    deadline = time.monotonic() + LIMIT_SECONDS
    while time.monotonic() < deadline:
        seen = described(name)
        yield seen and seen["NotebookInstanceStatus"], seen
        time.sleep(LOOK_SECONDS)


def wait_until_settled(name):
    """Waits until the instance changes no more, since it refuses everything before; its status then."""
    for found, _ in looks(name):
        if found in SETTLED:
            return found
    raise ValueError(f"The notebook instance {name} was still {found} after {LIMIT_SECONDS} seconds.")


def wait_for(name, wanted):
    """Waits until the instance has this status; `None`: until it is gone."""
    for found, seen in looks(name):
        if found == wanted:
            return
        if found is None:
            raise ValueError(f"The notebook instance {name} is gone: somebody deleted it before it was {wanted}.")
        if found == "Failed" and wanted is not None:
            raise ValueError(f"The notebook instance {name} failed: {seen.get('FailureReason')}")
    raise ValueError(f"The notebook instance {name} was not {wanted or 'gone'} within {LIMIT_SECONDS} seconds.")


def stop(name):
    """Stops the instance if it is on, whatever it is changing to now; tells what it was, `None` if it is gone."""
    found = wait_until_settled(name)
    if found == "InService":
        call("StopNotebookInstance", **{INSTANCE_NAME: name})
        wait_for(name, "Stopped")
    return found


def named(properties, member, logical_id, stack):
    """The properties with a name, and with numbers where a parameter gave a text."""
    known = {**properties}
    known.setdefault(member, f"{stack}-{logical_id}")
    if "VolumeSizeInGB" in known:
        known["VolumeSizeInGB"] = int(known["VolumeSizeInGB"])
    return known


def create_config(logical_id, properties, stack):
    members = named(properties, CONFIG_NAME, logical_id, stack)
    arn = call("CreateNotebookInstanceLifecycleConfig", **members)["NotebookInstanceLifecycleConfigArn"]
    return arn, {CONFIG_NAME: members[CONFIG_NAME]}


def update_config(physical_id, _old, properties, _stack):
    name = physical_id.rsplit("/", 1)[-1]
    scripts = {hook: properties[hook] for hook in ("OnCreate", "OnStart") if hook in properties}
    call("UpdateNotebookInstanceLifecycleConfig", **{CONFIG_NAME: name}, **scripts)
    return physical_id, {CONFIG_NAME: name}


def delete_config(physical_id, _properties):
    call("DeleteNotebookInstanceLifecycleConfig", **{CONFIG_NAME: physical_id.rsplit("/", 1)[-1]})


def create_instance(logical_id, properties, stack):
    members = named(properties, INSTANCE_NAME, logical_id, stack)
    arn = call("CreateNotebookInstance", **members)["NotebookInstanceArn"]
    try:
        wait_for(members[INSTANCE_NAME], "InService")
    except Exception as error:
        # The stack does not know it yet: nobody else would delete it.
        try:
            delete_instance(arn, members)
        except Exception as left:
            raise ValueError(f"{error} It is still there, because it could not be deleted: {left}") from error
        raise
    return arn, {INSTANCE_NAME: members[INSTANCE_NAME]}


def update_instance(physical_id, old, properties, _stack):
    name = physical_id.rsplit("/", 1)[-1]
    members = named(properties, INSTANCE_NAME, "", "")
    changed = [member for member in CHANGEABLE if properties.get(member) != old.get(member)]
    dropped = [member for member in changed if members.get(member) is None]
    if dropped:
        raise ValueError(
            f"The new template of the notebook instance {name} leaves out {', '.join(dropped)}, which it has now. "
            "The local AWS does not know their defaults. Give each of them a value."
        )
    if changed:
        was = stop(name)
        call("UpdateNotebookInstance", **{INSTANCE_NAME: name}, **{member: members[member] for member in changed})
        wait_for(name, "Stopped")
        if was == "InService":
            call("StartNotebookInstance", **{INSTANCE_NAME: name})
            wait_for(name, "InService")
    return physical_id, {INSTANCE_NAME: name}


def delete_instance(physical_id, _properties):
    name = physical_id.rsplit("/", 1)[-1]
    if stop(name) is None:
        return
    call("DeleteNotebookInstance", **{INSTANCE_NAME: name})
    wait_for(name, None)


def install():
    """Makes CloudFormation know the types."""
    from ministack.services.cloudformation import provisioners, stacks

    new = {
        CONFIG: {"create": create_config, "update": update_config, "delete": delete_config},
        INSTANCE: {"create": create_instance, "update": update_instance, "delete": delete_instance},
    }
    assert not new.keys() & provisioners._RESOURCE_HANDLERS.keys(), "ministack knows them: this file is not needed"
    provisioners._RESOURCE_HANDLERS.update(new)
    on_a_thread = stacks._runs_on_worker_thread
    stacks._runs_on_worker_thread = lambda kind: kind in new or on_a_thread(kind)
    provisioners._REPLACING_PROPERTIES.update({
        CONFIG: (CONFIG_NAME,),
        INSTANCE: (INSTANCE_NAME, "SubnetId", "SecurityGroupIds", "DirectInternetAccess", "KmsKeyId", "PlatformIdentifier"),
    })
