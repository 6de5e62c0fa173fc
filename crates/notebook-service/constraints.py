"""Writes src/constraints/table.rs from the service model that botocore ships.

Run it by `make constraints`, with the Python of .venv. It takes over the input shapes of the operations below, and every
shape that they lead to: types, required members, lengths, ranges, patterns and values. Nothing is chosen by hand.
"""

import gzip
import json
import pathlib
import re
import sys

import botocore

OPERATIONS = [
    "CreateNotebookInstance", "DescribeNotebookInstance", "ListNotebookInstances", "StartNotebookInstance",
    "StopNotebookInstance", "UpdateNotebookInstance", "DeleteNotebookInstance",
    "CreateNotebookInstanceLifecycleConfig", "DescribeNotebookInstanceLifecycleConfig",
    "UpdateNotebookInstanceLifecycleConfig", "DeleteNotebookInstanceLifecycleConfig",
    "ListNotebookInstanceLifecycleConfigs", "AddTags", "ListTags", "DeleteTags",
]
# What a shape may say, by its type. A word that is not here would be a constraint that is lost.
KNOWN = {
    "structure": {"required", "members"},
    "list": {"member", "min", "max"},
    "string": {"min", "max", "pattern", "enum"},
    "integer": {"min", "max"},
    "boolean": set(),
    "timestamp": set(),
}
MODEL = "data/sagemaker/2017-07-24/service-2.json.gz"
TABLE = pathlib.Path(__file__).parent / "src/constraints/table.rs"
WIDTH = 118


def constant(name):
    """SecurityGroupIds -> SECURITY_GROUP_IDS."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])|(?<=[A-Z])(?=[A-Z][a-z])", "_", name).upper()


def reached(shapes, names):
    found, todo = set(), list(names)
    while todo:
        name = todo.pop()
        if name in found:
            continue
        found.add(name)
        shape = shapes[name]
        unknown = set(shape) - KNOWN[shape["type"]] - {"type", "documentation", "box"}
        if unknown:
            sys.exit(f"the shape {name} says {sorted(unknown)}, which this script does not take over")
        todo += [member["shape"] for member in shape.get("members", {}).values()]
        todo += [shape["member"]["shape"]] if "member" in shape else []
    return sorted(found)


def wrapped(items):
    lines, line = [], ""
    for item in items:
        if len(line) + len(item) + 2 > WIDTH - 4:
            lines.append(line)
            line = ""
        line += ("" if not line else " ") + item + ","
    return "\n".join(f"    {line}" for line in [*lines, line] if line)


def quoted(text):
    return json.dumps(text, ensure_ascii=False)


def bound(shape, word, otherwise):
    return f"{shape.get(word, otherwise)}"


def rust(shape):
    kind = shape["type"]
    if kind == "structure":
        required = shape.get("required", [])
        members = [
            f"    Member {{ name: {quoted(name)}, required: {str(name in required).lower()}, "
            f"shape: &{constant(member['shape'])} }},"
            for name, member in shape["members"].items()
        ]
        return "Shape::Structure(&[\n" + "\n".join(members) + "\n])"
    if kind == "list":
        limits = f"min: {bound(shape, 'min', 0)}, max: {bound(shape, 'max', 'usize::MAX')}"
        return f"Shape::List {{ item: &{constant(shape['member']['shape'])}, {limits} }}"
    if kind == "string" and "enum" in shape:
        return "Shape::Choice(&[\n" + wrapped([quoted(value) for value in shape["enum"]]) + "\n])"
    if kind == "string":
        limits = f"min: {bound(shape, 'min', 0)}, max: {bound(shape, 'max', 'usize::MAX')}"
        pattern = f"Some(Pattern::new({quoted(shape['pattern'])}))" if "pattern" in shape else "None"
        return f"Shape::Text {{ {limits}, pattern: {pattern} }}"
    if kind == "integer":
        return f"Shape::Integer {{ min: {bound(shape, 'min', 'i32::MIN')}, max: {bound(shape, 'max', 'i32::MAX')} }}"
    return {"boolean": "Shape::Flag", "timestamp": "Shape::Time"}[kind]


def table():
    model = json.loads(gzip.open(pathlib.Path(botocore.__file__).parent / MODEL).read())
    shapes = model["shapes"]
    inputs = {operation: model["operations"][operation]["input"]["shape"] for operation in OPERATIONS}
    lines = [
        f"//! From the service model of SageMaker in botocore {botocore.__version__}: written by `make constraints`, not by hand.",
        "",
        "use reveille_instance_model::Operation;",
        "",
        "use super::{Member, Pattern, Shape};",
        "",
        "/// What a request of this operation looks like.",
        "pub(super) fn input(operation: Operation) -> &'static Shape {",
        "    match operation {",
        *[f"        Operation::{operation} => &{constant(shape)}," for operation, shape in inputs.items()],
        "    }",
        "}",
    ]
    for name in reached(shapes, inputs.values()):
        lines += ["", f"static {constant(name)}: Shape = {rust(shapes[name])};"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    if sys.argv[1:] == ["--print"]:
        sys.stdout.write(table())
    else:
        TABLE.write_text(table())
