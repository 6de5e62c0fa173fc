"""Which kernel runs the notebook, and the environment that it would have in Jupyter."""

import json
import os
from pathlib import Path
from string import Template

from reveille_driver import conda, spark
from reveille_driver.texts import clean
from reveille_driver.words import OF_KERNEL, RESERVED, known_language


class KernelMissing(Exception):
    def __init__(self, wanted, available):
        super().__init__(wanted)
        self.wanted = wanted
        self.available = available


class KernelBroken(Exception):
    """The kernel is there by its name, and nobody can start it."""


class Kernel:
    """The kernel to use: its name, its spec, and the manager that knows it."""

    def __init__(self, name, spec, manager, own_conda, own_spark):
        self.name = name
        self.spec = spec
        self.manager = manager
        self.own_conda = own_conda
        self.own_spark = own_spark

    @property
    def is_ipykernel(self):
        return conda.is_ipykernel(self.spec.argv)

    @property
    def is_xeus_python(self):
        return any(os.path.basename(part).startswith("xpython") for part in self.spec.argv)

    def environment(self, scratch):
        """The process's environment, as Jupyter on the instance would make it."""
        # jupyter_client's own rule: `${NAME}` in a specification is the variable of the process that starts the kernel.
        # A number is one that somebody wrote without quotes.
        told = {name: str(value) for name, value in self.spec.env.items() if isinstance(value, (str, int, float))}
        own = {name: Template(value).safe_substitute(os.environ) for name, value in told.items()}
        env = {**os.environ, **conda.usable(own)}
        if self.own_conda and self.spec.env.get("CONDA_PREFIX"):
            env = conda.activated(env, Path(self.spec.env["CONDA_PREFIX"]))
        return {**env, **spark.variables(env, scratch)} if self.own_spark else env


def add_conda_kernels(envs, folder):
    conda.add_kernels(envs, folder, [kernels for kernels in spec_folders() if not Path(kernels).is_relative_to(folder)])


def choose(notebook, override, own_specs):
    """The kernel to use, KernelMissing with those that are there, or KernelBroken."""
    from jupyter_client.kernelspec import KernelSpecManager, NoSuchKernel

    manager = KernelSpecManager(kernel_dirs=spec_folders())
    wanted = override or notebook["metadata"].get("kernelspec", {}).get("name") or of_language(notebook, manager)
    # jupyter_client's alias of the native kernel, which many a notebook of other tools names.
    for name in [wanted] + ["python3"] * (wanted.lower() in ("python", "python2")):
        try:
            spec = manager.get_kernel_spec(name)
        except NoSuchKernel:
            if name.lower() in map(str.lower, manager.find_kernel_specs()):
                # jupyter_client says the same of one that needs a program to start it (`kernel_provisioner`), which the log names.
                raise KernelBroken(f"kernel {clean(name, 200)} needs a kernel provisioner that is not installed") from None
            continue
        except Exception as error:  # of JSON, of a field's type, of the file
            # What is wrong with a field may be told with its value.
            told = f": {error}" if isinstance(error, (OSError, json.JSONDecodeError)) else ""
            raise KernelBroken(f"the specification of kernel {name} cannot be used ({type(error).__name__}{told})") from None
        if not spec.argv or not all(isinstance(part, str) and part and "\0" not in part for part in spec.argv):
            raise KernelBroken(f"the specification of kernel {name} has no command (argv)")
        own_conda = bool(spec.resource_dir) and Path(spec.resource_dir).is_relative_to(own_specs)
        return Kernel(name.lower(), spec, manager, own_conda, spark.used_by(notebook, spec.argv))
    raise KernelMissing(clean(wanted, 200), sorted(manager.find_kernel_specs()))


def of_language(notebook, manager):
    """The kernel of a notebook that names none: it was written by a tool, or by hand. Jupyter's own default is python3; a notebook
    that says another language is for the one kernel that has it, if there is one."""
    metadata = notebook["metadata"]
    told = metadata.get("language_info", {}).get("name") or metadata.get("kernelspec", {}).get("language")
    if not told or known_language(told) == "python":
        return "python3"
    fitting = {}
    for name in sorted(manager.find_kernel_specs()):
        try:
            spec = manager.get_kernel_spec(name)
        except Exception:  # one that nobody can start
            continue
        if known_language(spec.language) == known_language(told):
            # One kernel may have two names.
            fitting[tuple(spec.argv), spec.env.get("CONDA_PREFIX")] = name
    return fitting.popitem()[1] if len(fitting) == 1 else told


def spec_folders():
    """Where jupyter_client looks. It imports the whole of IPython to learn the last one, while the kernel has to wait."""
    from jupyter_core.paths import jupyter_path

    return [*jupyter_path("kernels"), os.path.expanduser("~/.ipython/kernels")]


def language(notebook, kernel, override):
    """The language that parameters are written in, by its name in words.py; as it was told where it has none there, and None where
    nobody names one.

    The kernel's own comes first, and not the notebook's as in papermill: the kernel executes the cell, and in another
    language than that of its literals a text may be code. A notebook's language is stale where somebody changed its kernel,
    and of a kernel that the input names it knows nothing.
    """
    metadata = notebook["metadata"]
    its_own = [OF_KERNEL.get(kernel.name), kernel.spec.language, kernel.name]
    told = [metadata.get("language_info", {}).get("name"), metadata.get("kernelspec", {}).get("language")]
    names = [known_language(name) for name in its_own + told * (not override) if name]
    return next((name for name in names if name in RESERVED), next((name for name in names if name != kernel.name), None))


def other_language(kernel, written, said):
    """Why a cell that is written in one language is nothing for a kernel that says itself what its language is, or None."""
    said = known_language(said or "")
    knows = known_language(kernel.spec.language) in RESERVED or kernel.name in OF_KERNEL
    if said == written or (knows and said not in RESERVED):
        return None
    return (
        f"parameters: they are written in {written}, and kernel {kernel.name} says that its language is {said or 'none'}; correct the "
        "language of the kernel's specification, or in the notebook's metadata"
    )
