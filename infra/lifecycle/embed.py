#!/usr/bin/env python3
"""Writes infra/instance.yaml from infra/lifecycle/instance.head.yaml and on-start.sh: `make instance-template`.

CloudFormation has no include without a bucket, so the script is written into the template. A contract test fails when the two
differ.
"""
import pathlib

here = pathlib.Path(__file__).parent
script = (here / "on-start.sh").read_text()
before, after = script.split("# --- preamble ---\n")


def literal(text: str) -> str:
    lines = text.split("\n")
    assert lines[-1] == "", "the part ends with a line feed"
    body = "".join(f"                    {line}\n" if line else "\n" for line in lines[:-1])
    return "                - |\n" + body


settings = ""
for name, parameter in [
    ("REVEILLE_BUCKET", "RunsBucket"),
    ("REVEILLE_PREFIX", "RunsPrefix"),
    ("REVEILLE_RUNNER_KEY", "RunnerKey"),
    ("REVEILLE_RUNNER_SHA256", "RunnerSha256"),
]:
    settings += f"                - \"{name}='\"\n                - !Ref {parameter}\n                - \"'\\n\"\n"

# A person's own commands, after the settings: where they stand who write them into the script itself.
settings += '                - !If [HasCommands, !Join ["", [!Ref OnStartCommands, "\\n"]], ""]\n'

template = (here / "instance.head.yaml").read_text()
content = literal(before) + settings + literal(after)
(here.parent / "instance.yaml").write_text(template.replace("                # on-start.sh\n", content))
