"""What the shim's files decide without ministack: run by src/ministack/tests.rs."""

import asyncio
import contextlib
import json
import os
import signal
import tempfile
import unittest
from unittest import mock

import reveille_bucket
import reveille_calls
import reveille_conditions
import reveille_processes
import reveille_sagemaker
import reveille_simulate

PROPERTIES = {"NotebookInstanceName": "nightly", "InstanceType": "ml.t3.medium"}


class Service:
    """A notebook instance service with one instance, whose status is the next of a list at each look."""

    def __init__(self, *statuses):
        self.statuses = list(statuses)
        self.calls = []

    def __call__(self, operation, **_members):
        if operation == "DescribeNotebookInstance":
            found = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
            if found is None:
                raise ValueError("DescribeNotebookInstance: RecordNotFound")
            return {"NotebookInstanceStatus": found, "FailureReason": "no capacity"}
        self.calls.append(operation)
        return {"NotebookInstanceArn": "arn:aws:sagemaker:us-east-1:000000000000:notebook-instance/nightly"}

    def patched(self):
        return mock.patch.multiple(reveille_sagemaker, call=self, LOOK_SECONDS=0)


class Conditions(unittest.TestCase):
    def test_a_lookup_is_what_its_mapping_holds(self):
        def find(arguments):
            return "/".join(arguments)

        lookup = {"Fn::FindInMap": ["Release", {"Ref": "Part"}, "File"]}
        conditions = {"Installs": {"Fn::Not": [{"Fn::Equals": [lookup, "none"]}]}, "Has": {"Fn::Equals": [{"Ref": "Part"}, ""]}}
        told = reveille_conditions.looked_up(conditions, {"Part": {"Value": "Runner"}}, find)
        self.assertEqual(told["Installs"], {"Fn::Not": [{"Fn::Equals": ["Release/Runner/File", "none"]}]})
        self.assertEqual(told["Has"], conditions["Has"], "only lookups are replaced")

    def test_what_has_no_condition_or_one_that_holds_exists(self):
        resources = {"Plain": {}, "Asked": {"Condition": "Yes"}, "Not": {"Condition": "No"}}
        existing = reveille_conditions.existing(resources, {"Yes": True, "No": False})
        self.assertEqual(list(existing), ["Plain", "Asked"])


class Instances(unittest.TestCase):
    def test_an_instance_that_could_not_be_created_is_deleted(self):
        service = Service("Pending", "Failed", "Failed", None)
        with service.patched(), self.assertRaisesRegex(ValueError, "nightly failed: no capacity"):
            reveille_sagemaker.create_instance("Instance", PROPERTIES, "stack")
        self.assertEqual(service.calls, ["CreateNotebookInstance", "DeleteNotebookInstance"])

    def test_what_changes_is_waited_for(self):
        for changing in ("Pending", "Updating"):
            service = Service(changing, "InService", "Stopping", "Stopped", "Deleting", None)
            with service.patched():
                reveille_sagemaker.delete_instance("nightly", PROPERTIES)
            self.assertEqual(service.calls, ["StopNotebookInstance", "DeleteNotebookInstance"])
        service = Service("Stopping", "Stopped", "Updating", "Stopped")
        with service.patched():
            new = {**PROPERTIES, "InstanceType": "ml.t3.large"}
            reveille_sagemaker.update_instance("nightly", PROPERTIES, new, "stack")
        self.assertEqual(service.calls, ["UpdateNotebookInstance"], "it was off, and stays so")
        service = Service("Deleting", None)
        with service.patched():
            reveille_sagemaker.delete_instance("nightly", PROPERTIES)
        self.assertEqual(service.calls, [])

    def test_nothing_is_waited_for_without_end(self):
        service = Service("Pending")
        limit = mock.patch.object(reveille_sagemaker, "LIMIT_SECONDS", 0.01)
        with service.patched(), limit, self.assertRaisesRegex(ValueError, "still"):
            reveille_sagemaker.delete_instance("nightly", PROPERTIES)
        self.assertEqual(service.calls, [])

    def test_a_property_that_is_left_out_is_named(self):
        service = Service("Stopped")
        old = {**PROPERTIES, "RootAccess": "Disabled"}
        with service.patched(), self.assertRaisesRegex(ValueError, "leaves out RootAccess"):
            reveille_sagemaker.update_instance("nightly", old, PROPERTIES, "stack")
        self.assertEqual(service.calls, [])


class Settings(unittest.TestCase):
    def test_what_a_template_says_is_what_s3_is_told(self):
        rules = [
            {"Id": "Noncurrent", "Status": "Enabled", "NoncurrentVersionExpiration": {"NoncurrentDays": "7"}, "ExpiredObjectDeleteMarker": True},
            {"Id": "Runs", "Status": "Enabled", "Prefix": "runs/", "ExpirationInDays": "45"},
        ]
        told = reveille_bucket.lifecycle({"Rules": rules}).decode()
        for part in (
            "<NoncurrentVersionExpiration><NoncurrentDays>7</NoncurrentDays></NoncurrentVersionExpiration>",
            "<Expiration><ExpiredObjectDeleteMarker>true</ExpiredObjectDeleteMarker></Expiration>",
            "<ID>Runs</ID><Status>Enabled</Status><Filter><Prefix>runs/</Prefix></Filter><Expiration><Days>45</Days></Expiration>",
        ):
            self.assertIn(part, told)
        given = {"ServerSideEncryptionConfiguration": [{"ServerSideEncryptionByDefault": {"SSEAlgorithm": "AES256"}}]}
        self.assertIn("<SSEAlgorithm>AES256</SSEAlgorithm>", reveille_bucket.encryption(given).decode())


class Calls(unittest.TestCase):
    def setUp(self):
        contexts = contextlib.ExitStack()
        self.addCleanup(contexts.close)
        folder = contexts.enter_context(tempfile.TemporaryDirectory())
        self.file = os.path.join(folder, "calls.jsonl")
        contexts.enter_context(mock.patch.dict(os.environ, REVEILLE_CALLS=self.file))
        contexts.enter_context(mock.patch.object(reveille_calls, "_seen", set()))

    def noted(self):
        with open(self.file, encoding="utf-8") as calls:
            return [(call["action"], call["resource"]) for call in map(json.loads, calls)]

    def test_notes_that_are_not_all_say_so(self):
        with mock.patch.object(reveille_calls, "CALLS_LIMIT", 2):
            for resource in "aabacd":
                reveille_calls.note("role", "s3:GetObject", resource)
        unknown = ("reveille:unknown", "too many calls")
        self.assertEqual(self.noted(), [("s3:GetObject", "a"), ("s3:GetObject", "b"), unknown])

    def test_a_call_with_another_context_is_another_call(self):
        for source in ("reveille", "other", "reveille"):
            reveille_calls.note("role", "events:PutEvents", "bus", [("events:source", source)])
        with open(self.file, encoding="utf-8") as calls:
            self.assertEqual([json.loads(call)["context"]["events:source"] for call in calls], ["reveille", "other"])

    def test_each_event_has_its_source_and_its_bus(self):
        arn = "arn:aws:events:eu-west-1:1:event-bus/mine"
        entries = [{"Source": "reveille"}, {"Source": "other", "EventBusName": "mine"}, {"Source": "x", "EventBusName": arn}]
        calls = reveille_calls.events(json.dumps({"Entries": entries}).encode(), "eu-west-1", "1")
        default = "arn:aws:events:eu-west-1:1:event-bus/default"
        self.assertEqual([(bus, context[0][1]) for _, bus, context in calls], [(default, "reveille"), (arn, "other"), (arn, "x")])

    def test_a_note_that_could_not_be_written_is_written_the_next_time(self):
        with mock.patch.dict(os.environ, REVEILLE_CALLS="/nonexistent/calls"), mock.patch("sys.stderr"):
            reveille_calls.note("role", "s3:GetObject", "a")
        reveille_calls.note("role", "s3:GetObject", "a")
        self.assertEqual(self.noted(), [("s3:GetObject", "a")])

    def test_a_call_is_noted_before_it_is_answered(self):
        async def application(_scope, receive, send):
            await receive()
            await send({"type": "http.response.start", "status": 404})
            await send({"type": "http.response.body"})

        async def receive():
            return {"type": "http.request", "body": b""}

        seen = []

        async def send(message):
            seen.append((message["type"], self.noted()))

        token = b"arn:aws:iam::000000000000:role/reader"
        scope = {
            "type": "http",
            "method": "GET",
            "path": "/bucket/key",
            "query_string": b"",
            "headers": [(b"x-amz-security-token", token)],
        }
        with mock.patch.object(reveille_calls, "of_request", return_value=[("s3:GetObject", "key")]):
            asyncio.run(reveille_calls.noting(application)(scope, receive, send))
        noted = [("s3:GetObject", "key")]
        self.assertEqual(seen, [("http.response.start", noted), ("http.response.body", noted)])


class Simulation(unittest.TestCase):
    def test_lists_of_a_query_are_read_to_their_end(self):
        asked = {
            "ActionNames.member.1": ["s3:GetObject"],
            "ActionNames.member.2": ["s3:PutObject"],
            "ActionNames.member.4": ["s3:DeleteObject"],
            "ContextEntries.member.1.ContextKeyName": ["kms:ViaService"],
            "ContextEntries.member.1.ContextKeyValues.member.1": ["s3.eu-west-1.amazonaws.com"],
        }
        self.assertEqual(list(reveille_simulate.members(asked, "ActionNames")), ["s3:GetObject", "s3:PutObject"])
        self.assertEqual(list(reveille_simulate.members(asked, "ResourceArns")), [])
        self.assertEqual(reveille_simulate.context_of(asked), {"kms:viaservice": "s3.eu-west-1.amazonaws.com"})


class Processes(unittest.TestCase):
    """A process looks empty while it starts its program: one in three on a quiet machine, nearly each on a busy one."""

    def test_a_process_that_was_just_started_is_found_and_killed(self):
        for number in range(50):
            mark = f"REVEILLE_TEST={os.getpid()}-{number}/".encode()
            name, _, value = mark.partition(b"=")
            process = os.posix_spawn("/bin/sleep", ["sleep", "600"], {name: value + b"root"})
            reveille_processes.kill_all(mark)
            self.assertEqual(os.waitpid(process, 0)[1], signal.SIGKILL)

    def test_what_has_nothing_for_good_is_not_waited_for(self):
        bare = os.posix_spawn("/bin/sleep", ["sleep", "600"], {})
        while not open(f"/proc/{bare}/cmdline", "rb").read():
            pass
        self.assertFalse(reveille_processes.is_starting(bare))
        self.assertEqual(reveille_processes.environment(bare), b"")
        os.kill(bare, signal.SIGKILL)
        os.waitid(os.P_PID, bare, os.WEXITED | os.WNOWAIT)
        self.assertFalse(reveille_processes.is_starting(bare), "a zombie")
        os.waitpid(bare, 0)
        with self.assertRaises(OSError):
            reveille_processes.environment(bare)


if __name__ == "__main__":
    unittest.main()
