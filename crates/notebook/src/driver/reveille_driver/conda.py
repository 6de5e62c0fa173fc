"""Conda's environments: their kernels under names that a notebook may ask for, and what activating one sets."""

import json
import logging
import os
import stat
import subprocess
from pathlib import Path

from reveille_driver.words import known_language

# Sourcing the scripts of an environment takes well under a second; one that needs longer hangs.
ACTIVATION_SECONDS = 60
# Fixed text: what varies comes by the environment.
ACTIVATE = """for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do
  if [ -r "$script" ]; then . "$script" >&2; fi
done
env -0
"""
# Of one script: also what it had set when it ended the shell.
ACTIVATE_BY_ONE = """exec 3>&1 >&2
trap 'REVEILLE_ENDED=yes env -0 >&3' EXIT
. "$REVEILLE_SCRIPT"
trap - EXIT
env -0 >&3
"""
# Stands in the place of a variable that `conda env config vars unset` took away.
CONDA_UNSET = "***unset***"
# What bash itself sets, and what is ours: by it the run's processes are found.
NOT_ACTIVATED = ("_", "PWD", "OLDPWD", "SHLVL", "REVEILLE_RUN", "REVEILLE_SCRIPT", "REVEILLE_ENDED")
# Names by which every environment calls its own ipykernel, and Jupyter the native kernel.
NATIVE = ("python", "python2", "python3")


def add_kernels(envs, folder, jupyters):
    """Make the kernels of conda environments known under the names SageMaker's Jupyter gives them.

    SageMaker's own server lists `conda_<env>` through a plugin of its configuration; a plain kernel lookup finds only
    specs in kernels folders. So specs are made that start the environment's own interpreter. `python3` then means the
    conda environment of that name, where the person's packages are, and not the engine's bare one.

    `jupyters` are the folders in which Jupyter finds kernels without us: those keep their names.
    """
    if not envs or not os.path.isdir(envs):
        return
    found = [found for file in sorted(Path(envs).glob("*/share/jupyter/kernels/*/kernel.json")) if (found := read(file))]
    named = {}
    for env in dict.fromkeys(env for env, _, _ in found):
        main = min((own for own in found if own[0] == env), key=rank)
        if f"conda_{env.name}".lower() in map(str.lower, named):
            logging.warning("No kernel is called conda_%s after that environment: another one's name differs in case only.", env.name)
            continue
        named[f"conda_{env.name}"] = main
        if env.name == "python3" and is_python(main[2]):
            named["python3"] = main
    # The environment that is named as its kernel's language goes first.
    for kernel in sorted(found, key=lambda kernel: (kernel[0].name.lower() != known_language(kernel[2]["language"]), kernel[0])):
        env, own, _ = kernel
        if str(env / "share/jupyter/kernels") in jupyters or (kernel in named.values() and own in NATIVE):
            continue
        name = own
        if own.lower() in map(str.lower, named):
            name = f"conda_{env.name}_{own}"
            logging.info("Kernel %s of conda environment %s is called %s: there is another %s.", own, env.name, name, own)
        elif own in NATIVE or any(os.path.exists(os.path.join(at, own, "kernel.json")) for at in jupyters):
            name = f"conda_{env.name}_{own}"
        named[name] = kernel
    for name, (_, _, spec) in named.items():
        target = folder / "kernels" / name
        target.mkdir(parents=True, exist_ok=True)
        (target / "kernel.json").write_text(json.dumps(spec), "utf-8")


def read(file):
    """An environment, the name that it gives to one of its kernels, and the specification; None where it is none."""
    env = file.parents[4]
    try:
        spec = checked(json.loads(text_of(file)), file.parent)
    except (OSError, ValueError, RecursionError) as error:
        logging.warning("kernel spec %s is left out: %s", file, error)
        return None
    command = spec["argv"][0]
    if os.sep not in command:
        spec["argv"][0] = str(env / "bin" / command)
    # Whose environment it is; what its activation sets is asked for when the kernel is chosen.
    spec["env"]["CONDA_PREFIX"] = str(env)
    return env, file.parent.name, spec


def text_of(file):
    """The text of a regular file: nobody waits for a FIFO."""
    if not stat.S_ISREG(os.stat(file).st_mode):
        raise ValueError("it is no regular file")
    return file.read_text("utf-8")


def checked(spec, folder):
    if not isinstance(spec, dict):
        raise ValueError("it is no JSON object")
    argv, env = spec.get("argv"), spec.get("env")
    if not (isinstance(argv, list) and argv and all(isinstance(part, str) for part in argv) and argv[0]):
        raise ValueError("its argv is no list of texts")
    if not isinstance(env, (dict, type(None))):
        raise ValueError("its env is no object")
    language, display_name = spec.get("language"), spec.get("display_name")
    return {
        **spec,
        # The copy is in another folder.
        "argv": [part.replace("{resource_dir}", str(folder)) for part in argv],
        "env": dict(env or {}),
        "language": language if isinstance(language, str) else "",
        "display_name": display_name if isinstance(display_name, str) else folder.name,
    }


def is_python(spec):
    return known_language(spec["language"]) == "python"


def rank(kernel):
    """Which of an environment's kernels is its main one: ipykernel, then another of Python."""
    _, own, spec = kernel
    return not is_python(spec), not is_ipykernel(spec["argv"]), own not in NATIVE, own


def is_ipykernel(argv):
    """By its program: other kernels of Python need not know what ipykernel does."""
    return any(str(part).startswith("ipykernel") for part in argv)


def activated(env, prefix):
    """What `conda activate` makes of this environment: its variables, and those that its packages' scripts set."""
    env = {
        **env,
        "CONDA_PREFIX": str(prefix),
        "CONDA_DEFAULT_ENV": prefix.name,
        "CONDA_PROMPT_MODIFIER": f"({prefix.name}) ",
        "CONDA_SHLVL": "1",
        "PATH": f"{prefix / 'bin'}{os.pathsep}{env.get('PATH', os.defpath)}",
    }
    for file in [*sorted((prefix / "etc" / "conda" / "env_vars.d").glob("*.json")), prefix / "conda-meta" / "state"]:
        env.update(usable(variables_in(file, prefix)))
    if any((prefix / "etc" / "conda" / "activate.d").glob("*.sh")):
        after = sourced(env, prefix)
        # A script may take a variable away. What is no name in a shell is not the scripts'.
        env = {name: value for name, value in env.items() if name in after or name in NOT_ACTIVATED or not name.isidentifier()}
        env.update(after)
    return env


def variables_in(file, prefix):
    """What a package sets (`env_vars.d`), or a person with `conda env config vars` (`state`)."""
    try:
        content = json.loads(text_of(file))
        variables = content.get("env_vars") if file.name == "state" else content
        return {str(name): str(value) for name, value in (variables or {}).items() if value not in (CONDA_UNSET, None)}
    except FileNotFoundError:
        pass
    except (OSError, ValueError, AttributeError, RecursionError) as error:
        logging.warning("the variables of conda environment %s cannot be read: %s", prefix.name, error)
    return {}


def sourced(env, prefix):
    """The variables after the environment's activate.d scripts have run."""
    done = run_in_bash(ACTIVATE, env, prefix)
    if done is None:
        return env
    if done.stdout:
        return variables_of(done)
    # One of them ended the shell (`exit`, a failure under `set -e`): it must not take the others' variables along.
    for script in sorted((prefix / "etc" / "conda" / "activate.d").glob("*.sh")):
        done = run_in_bash(ACTIVATE_BY_ONE, {**env, "REVEILLE_SCRIPT": str(script)}, prefix)
        if done is None:
            continue
        if not done.stdout or b"REVEILLE_ENDED=" in done.stdout:
            logging.warning("conda environment %s: its script %s ended the shell (status %d)", prefix.name, script.name, done.returncode)
        env = variables_of(done) if done.stdout else env
    return env


def run_in_bash(text, env, prefix):
    """What the fixed text comes to, or None where bash does not end."""
    try:
        return subprocess.run(
            ["bash", "--noprofile", "--norc", "-c", text],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=ACTIVATION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        logging.warning("conda environment %s is not activated: %s", prefix.name, type(error).__name__)
        return None


def variables_of(done):
    """The variables that bash has told."""
    pairs = (entry.partition(b"=") for entry in done.stdout.split(b"\0") if b"=" in entry)
    variables = {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}
    return {name: value for name, value in variables.items() if name not in NOT_ACTIVATED}


def usable(variables):
    """What a process's environment can hold of them; the rest is told, without a value."""
    kept = {}
    for name, value in variables.items():
        try:
            good = name and "=" not in name and b"\0" not in os.fsencode(name) + os.fsencode(value)
        except UnicodeEncodeError:
            good = False
        if good:
            kept[name] = value
        else:
            logging.warning("no process can have the variable %a, which is left out", name)
    return kept
