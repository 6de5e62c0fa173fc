#!/usr/bin/env python3
"""Makes the archive from which an instance without a way to PyPI installs its engine, and checks the engine's pins.

    wheelhouse.py build --python 3.10 --machine x86_64 --output target/wheelhouse      (`make wheelhouse`)
    wheelhouse.py check --python 3.10 --tools requirements.txt                         (tests/pins.rs)

The pins are those of requirements.txt beside this file. Needs the `packaging` package, and pip's way to PyPI.
The same pins make the same archive, byte for byte: wheels in the order of their names, uncompressed, without times.
"""

import argparse
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
import zipfile
from pathlib import Path

from packaging.markers import Marker
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

LOCK = Path(__file__).with_name("requirements.txt")
SUPPORTED = Path(__file__).with_name("requirements.in")
# The C library of Amazon Linux 2023, on which notebook-al2023-v1 is built, is glibc 2.34. It also loads what was built
# for an older one; 2.5 is the oldest that wheels are built for.
GLIBC = range(34, 4, -1)
# The runner looks for an archive of this name in the folder `artifacts/` of the runs bucket.
NAME = "reveille-engine-{fingerprint}-{abi}-{machine}.zip"
FINGERPRINT_DIGITS = 16
# "Service unavailable" of sysexits.h: nothing is said about the pins.
NO_INDEX = 69


def pins(text):
    """The lock's entries: (name, version, marker or None, hashes)."""
    entries = []
    for line in re.sub(r"\\\n", " ", text).splitlines():
        line = line.partition(" #")[0].strip()
        if not line or line.startswith("#"):
            continue
        specification, *hashes = re.split(r"\s+--hash=", line)
        pin, _, marker = (part.strip() for part in specification.partition(";"))
        name, _, version = pin.partition("==")
        entries.append((canonicalize_name(name.partition("[")[0]), version, Marker(marker) if marker else None, hashes))
    return entries


def target(version, machine):
    """What markers ask of a CPython on Linux. Pip itself would evaluate them for the Python that it runs in."""
    return {
        "implementation_name": "cpython",
        "implementation_version": version,
        "os_name": "posix",
        "platform_machine": machine,
        "platform_python_implementation": "CPython",
        "platform_release": "",
        "platform_system": "Linux",
        "platform_version": "",
        "python_full_version": version,
        "python_version": ".".join(version.split(".")[:2]),
        "sys_platform": "linux",
        "extra": "",
    }


def wanted(text, environment):
    """The pins that hold for one Python: name -> (version, hashes)."""
    return {
        name: (version, hashes) for name, version, marker, hashes in pins(text) if marker is None or marker.evaluate(environment)
    }


def variants(text, python, machine):
    """(environment, pins) for the first and the last release of a Python, which markers may tell apart."""
    environments = [target(f"{python}.{patch}", machine) for patch in (0, 99)]
    found = [(environment, wanted(text, environment)) for environment in environments]
    return found[:1] if found[0][1] == found[1][1] else found


def platform_options(environment):
    machine = environment["platform_machine"]
    options = ["--only-binary=:all:", "--implementation", "cp", "--python-version", environment["python_full_version"]]
    for tag in ("cp" + environment["python_version"].replace(".", ""), "abi3", "none"):
        options += ["--abi", tag]
    platforms = [f"manylinux_2_{minor}_{machine}" for minor in GLIBC]
    for platform in [*platforms, f"manylinux2014_{machine}", f"manylinux2010_{machine}", f"manylinux1_{machine}"]:
        options += ["--platform", platform]
    return options


def pip(command, pinned, options):
    """Runs a pip command on exactly these pins, with the checksums of the lock."""
    with tempfile.NamedTemporaryFile("w", suffix=".txt") as requirements:
        for name, (version, hashes) in sorted(pinned.items()):
            requirements.write(" ".join([f"{name}=={version}", *(f"--hash={value}" for value in hashes)]) + "\n")
        requirements.flush()
        arguments = ["--no-input", "--quiet", "--disable-pip-version-check", "--no-deps", "--require-hashes", *options]
        subprocess.run([sys.executable, "-m", "pip", command, *arguments, "-r", requirements.name], check=True)


def require_index(text):
    """Ends the program when even one package, of any version, cannot be had."""
    with tempfile.TemporaryDirectory() as folder:
        arguments = ["--no-input", "--quiet", "--disable-pip-version-check", "--no-deps", "--no-cache-dir", "--dest", folder]
        tried = subprocess.run([sys.executable, "-m", "pip", "download", *arguments, pins(text)[0][0]], capture_output=True, text=True)
    if tried.returncode:
        print(f"the package index does not answer: {tried.stderr.strip()}", file=sys.stderr)
        sys.exit(NO_INDEX)


def build(arguments):
    lock = LOCK.read_bytes()
    fingerprint = hashlib.sha256(lock).hexdigest()
    name = NAME.format(
        fingerprint=fingerprint[:FINGERPRINT_DIGITS],
        abi="cp" + arguments.python.replace(".", ""),
        machine=arguments.machine,
    )
    output = Path(arguments.output)
    output.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(dir=output) as folder:
        wheels = Path(folder, "wheels")
        for environment, pinned in variants(lock.decode(), arguments.python, arguments.machine):
            pip("download", pinned, [*platform_options(environment), "--dest", str(wheels)])
        archive = Path(folder, name)
        with zipfile.ZipFile(archive, "w", zipfile.ZIP_STORED) as packed:
            for wheel in sorted(wheels.iterdir()):
                entry = zipfile.ZipInfo(wheel.name)  # its time is 1980-01-01 unless told
                entry.create_system, entry.external_attr = 3, 0o100644 << 16
                packed.writestr(entry, wheel.read_bytes())
        count = len(list(wheels.iterdir()))
        os.replace(archive, output / name)
    made = output / name
    print(f"{made}: {count} wheels for Python {arguments.python} on {arguments.machine}, {made.stat().st_size:,} bytes")
    print(f"SHA-256 {hashlib.sha256(made.read_bytes()).hexdigest()}")
    print(f"Upload it to the runs bucket: aws s3 cp {made} s3://BUCKET/artifacts/{name}")


def check(arguments):
    """Every pin has a wheel for this Python, and together they are what their own metadata asks for: no more, no less."""
    lock, tools = LOCK.read_text(), Path(arguments.tools).read_text()
    require_index(lock)
    supported = [Requirement(line) for line in SUPPORTED.read_text().splitlines() if line and not line.startswith("#")]
    for environment, pinned in variants(lock, arguments.python, arguments.machine):
        with tempfile.TemporaryDirectory() as folder:
            report = Path(folder, "report.json")
            options = ["--dry-run", "--ignore-installed", "--target", folder, "--report", str(report)]
            pip("install", pinned, [*platform_options(environment), *options])
            metadata = [found["metadata"] for found in json.loads(report.read_text())["install"]]
        problems = unmet(supported, {canonicalize_name(found["name"]): found for found in metadata}, environment)
        for name, (version, _) in wanted(tools, environment).items():
            if name in pinned and pinned[name][0] != version:
                problems.append(f"the tools have {name} {version}, and the engine {pinned[name][0]}")
        if problems:
            sys.exit(f"Python {environment['python_full_version']}: " + "; ".join(problems) + ". Run `make lock`.")
        print(f"Python {environment['python_full_version']} on {arguments.machine}: {len(pinned)} wheels")


def unmet(supported, found, environment):
    """What the pins lack of what they ask for, and what nobody asks for."""
    problems, seen, asked = [], set(), [(requirement, "requirements.in") for requirement in supported]
    while asked:
        requirement, by = asked.pop()
        name = canonicalize_name(requirement.name)
        if name not in found:
            problems.append(f"{by} asks for {requirement}, which is not pinned")
            continue
        if not requirement.specifier.contains(found[name]["version"]):
            problems.append(f"{by} asks for {requirement}, and {found[name]['version']} is pinned")
        for extra in ["", *requirement.extras]:
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            for text in found[name].get("requires_dist", []):
                needed = Requirement(text)
                if needed.marker is None:
                    asked += [] if extra else [(needed, name)]
                elif needed.marker.evaluate({**environment, "extra": extra}):
                    asked.append((needed, name))
    extraneous = set(found) - {name for name, _ in seen}
    return problems + [f"nothing asks for {name}" for name in sorted(extraneous)]


def main():
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    commands = parser.add_subparsers(required=True)
    for name, function in [("build", build), ("check", check)]:
        command = commands.add_parser(name)
        command.set_defaults(function=function)
        command.add_argument("--python", default="3.10", help="its major and minor version")
        command.add_argument("--machine", default="x86_64", help="as `uname -m` says")
        if function is build:
            command.add_argument("--output", default="target/wheelhouse", help="a folder")
        else:
            command.add_argument("--tools", required=True, help="the lock of the tests' tools")
    arguments = parser.parse_args()
    if not re.fullmatch(r"3\.\d{1,2}", arguments.python):
        parser.error(f"--python {arguments.python}: write a version such as 3.10")
    if not re.fullmatch(r"[a-z0-9_]{1,32}", arguments.machine):
        parser.error(f"--machine {arguments.machine}: a name like x86_64 is meant")
    try:
        arguments.function(arguments)
    except subprocess.CalledProcessError as error:
        sys.exit(f"pip ended with status {error.returncode}: see above")


main()
