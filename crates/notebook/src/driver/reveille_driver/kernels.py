"""Which kernel runs the notebook, and the environment that it would have in Jupyter."""

import json
import logging
import os
import subprocess
from pathlib import Path
from string import Template

from reveille_driver.texts import clean

# Sourcing the scripts of an environment takes well under a second; one that needs longer hangs.
ACTIVATION_SECONDS = 60
# Fixed text: what varies comes by the environment.
ACTIVATE = """for script in "$CONDA_PREFIX"/etc/conda/activate.d/*.sh; do
  if [ -r "$script" ]; then . "$script" >&2; fi
done
env -0
"""
# Stands in the place of a variable that `conda env config vars unset` took away.
CONDA_UNSET = "***unset***"
# What bash itself sets.
NOT_ACTIVATED = ("_", "PWD", "OLDPWD", "SHLVL")
# Sparkmagic's own settings, by which a failed statement fails its cell instead of being printed.
SPARKMAGIC = {"all_errors_are_fatal": True, "spark_statement_errors_are_fatal": True}


class KernelMissing(Exception):
    def __init__(self, wanted, available):
        super().__init__(wanted)
        self.wanted = wanted
        self.available = available


def add_conda_kernels(envs, folder):
    """Make the kernels of conda environments known under the names SageMaker's Jupyter gives them.

    SageMaker's own server lists `conda_<env>` through a plugin of its configuration; a plain kernel lookup finds only
    specs in kernels folders. So specs are made that start the environment's own interpreter. `python3` then means the
    conda environment of that name, where the person's packages are, and not the engine's bare one.
    """
    if not envs or not os.path.isdir(envs):
        return
    for spec_file in sorted(Path(envs).glob("*/share/jupyter/kernels/*/kernel.json")):
        env = spec_file.parents[4]
        try:
            spec = json.loads(spec_file.read_text("utf-8"))
            command = spec["argv"][0]
            python = spec.get("language") == "python"
        except (OSError, ValueError, LookupError, TypeError) as error:
            logging.warning("kernel spec %s is left out: %s", spec_file, error)
            continue
        if os.sep not in command:
            spec["argv"][0] = str(env / "bin" / command)
        # Whose environment it is; what its activation sets is asked for when the kernel is chosen.
        spec["env"] = {**(spec.get("env") or {}), "CONDA_PREFIX": str(env)}
        names = [f"conda_{env.name}"] if python else [spec_file.parent.name]
        if python and env.name == "python3":
            names.append("python3")
        for name in names:
            target = folder / "kernels" / name
            target.mkdir(parents=True, exist_ok=True)
            (target / "kernel.json").write_text(json.dumps(spec), "utf-8")


class Kernel:
    """The kernel to use: its name, its spec, and the manager that knows it."""

    def __init__(self, name, spec, manager, own_conda):
        self.name = name
        self.spec = spec
        self.manager = manager
        self.own_conda = own_conda

    @property
    def is_ipykernel(self):
        """By its program: other kernels of Python need not know what ipykernel does."""
        return any(str(part).startswith("ipykernel") for part in self.spec.argv)

    def environment(self, scratch):
        """The process's environment, as Jupyter on the instance would make it."""
        # jupyter_client's own rule: `${NAME}` in a specification is the variable of the process that starts the kernel.
        own = {name: Template(value).safe_substitute(os.environ) for name, value in self.spec.env.items()}
        env = {**os.environ, **own}
        if self.own_conda and self.spec.env.get("CONDA_PREFIX"):
            env = activated(env, Path(self.spec.env["CONDA_PREFIX"]))
        env.update(sparkmagic(self.spec, env, scratch))
        return env


def choose(notebook, override, own_specs):
    """The kernel to use, or KernelMissing with those that are there."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    manager = KernelSpecManager(kernel_dirs=spec_folders())
    # A notebook without a kernelspec was written by a tool, or by hand: Jupyter's own default is python3.
    wanted = override or notebook["metadata"].get("kernelspec", {}).get("name") or "python3"
    # jupyter_client's alias of the native kernel, which many a notebook of other tools names.
    for name in [wanted] + ["python3"] * (wanted.lower() in ("python", "python2")):
        try:
            spec = manager.get_kernel_spec(name)
        except NoSuchKernel:
            continue
        own_conda = bool(spec.resource_dir) and Path(spec.resource_dir).is_relative_to(own_specs)
        return Kernel(name.lower(), spec, manager, own_conda)
    raise KernelMissing(clean(wanted, 200), sorted(manager.find_kernel_specs()))


def spec_folders():
    """Where jupyter_client looks. It imports the whole of IPython to learn the last one, while the kernel has to wait."""
    from jupyter_core.paths import jupyter_path

    return [*jupyter_path("kernels"), os.path.expanduser("~/.ipython/kernels")]


def language(notebook, kernel, override):
    """The name of the language that parameters are written in; None where nobody names one.

    Papermill asks the notebook first. But a kernel that the input names instead of the notebook's is no kernel that
    the notebook could know.
    """
    metadata = notebook["metadata"]
    told = [metadata.get("language_info", {}).get("name"), metadata.get("kernelspec", {}).get("language")]
    names = [kernel.spec.language, *told] if override else [*told, kernel.spec.language]
    return next((name for name in names if name), None)


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
        env.update(variables_in(file, prefix))
    if any((prefix / "etc" / "conda" / "activate.d").glob("*.sh")):
        env = {**env, **sourced(env, prefix)}
    return env


def variables_in(file, prefix):
    """What a package sets (`env_vars.d`), or a person with `conda env config vars` (`state`)."""
    try:
        content = json.loads(file.read_text("utf-8"))
        variables = content.get("env_vars") if file.name == "state" else content
        return {str(name): str(value) for name, value in (variables or {}).items() if value != CONDA_UNSET}
    except FileNotFoundError:
        pass
    except (OSError, ValueError, AttributeError) as error:
        logging.warning("the variables of conda environment %s cannot be read: %s", prefix.name, error)
    return {}


def sourced(env, prefix):
    """The variables after the environment's activate.d scripts have run."""
    try:
        done = subprocess.run(
            ["bash", "--noprofile", "--norc", "-c", ACTIVATE],
            env=env,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            timeout=ACTIVATION_SECONDS,
            check=False,
        )
    except (OSError, subprocess.TimeoutExpired) as error:
        logging.warning("conda environment %s is not activated: %s", prefix.name, type(error).__name__)
        return {}
    pairs = (entry.partition(b"=") for entry in done.stdout.split(b"\0") if b"=" in entry)
    variables = {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}
    return {name: value for name, value in variables.items() if name not in NOT_ACTIVATED}


def sparkmagic(spec, env, scratch):
    """For sparkmagic's kernels: a copy of the person's configuration in which errors are fatal.

    Without it a statement that Spark refuses is printed, the cell counts as run, and so does the notebook.
    """
    if not any("sparkmagic" in str(part) for part in spec.argv):
        return {}
    home = of_home(env.get("SPARKMAGIC_CONF_DIR") or "~/.sparkmagic", env)
    name = env.get("SPARKMAGIC_CONF_FILE") or "config.json"
    try:
        config = json.loads((home / name).read_text("utf-8"))
    except FileNotFoundError:
        config = {}
    except (OSError, ValueError) as error:
        logging.warning("sparkmagic's configuration %s cannot be read and is not used: %s", home / name, error)
        config = {}
    folder = scratch / "sparkmagic"
    folder.mkdir(parents=True, exist_ok=True)
    try:
        # Its logs are beside its configuration, where a person looks for them; the copy's folder goes with the run.
        (home / "logs").mkdir(parents=True, exist_ok=True)
        (folder / "logs").symlink_to(home / "logs")
    except OSError as error:
        logging.warning("sparkmagic's logs go with the run: %s", error)
    merged = {**(config if isinstance(config, dict) else {}), **SPARKMAGIC}
    (folder / "config.json").write_text(json.dumps(merged), "utf-8")
    return {"SPARKMAGIC_CONF_DIR": str(folder), "SPARKMAGIC_CONF_FILE": "config.json"}


def of_home(path, env):
    """The path as the kernel expands it: its own HOME may be another one than this process's."""
    if env.get("HOME") and path.startswith("~/"):
        return Path(env["HOME"], path[2:])
    return Path(path).expanduser()
