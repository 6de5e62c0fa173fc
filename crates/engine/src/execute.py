"""Execute one notebook with papermill, then export what came out of it as HTML.

Started by the Rust engine as `python -I -u -X utf8 execute.py spec.json`. It reads spec.json and leaves
in the output folder: output.ipynb (saved after every cell), progress.json, result.json and output.html.
result.json is the only answer the engine reads; what stands on stdout and stderr is for people.
The exit code says nothing, except DISK_FULL: then result.json itself may not have been written.
"""

import errno
import json
import logging
import os
import re
import signal
import shutil
import sys
import tempfile
import threading
import time
from pathlib import Path

# Exit code for "no space left": no file can carry that answer. The engine knows the same number.
DISK_FULL = 28
# A person reads these; a megabyte-long exception text must not travel in a report.
MAX_TEXT = 2_000
MAX_TRACEBACK_LINES = 40
MAX_TRACEBACK_LINE = 400
# A kernel of a big conda environment needs tens of seconds for its first start on a cold disk.
KERNEL_START_SECONDS = 120
# Jupyter picks free ports before the kernel binds them: two kernels that start at once may get the same one,
# and one of them dies or is never heard. A Python kernel is therefore spoken to over sockets in a folder of its
# own, which nobody else on the machine can open either. Another kernel uses ports; before the first cell its
# start can be repeated safely.
KERNEL_STARTS = 3
# A socket's path holds 107 characters, so the folder is not among the run's own.
SOCKETS = "/tmp"
# Outputs may arrive after the cell's end; beyond this they are given up with a warning, the cell counts.
OUTPUT_LAG_SECONDS = 60
OUTPUT_MESSAGES = ("stream", "display_data", "execute_result")
# What papermill writes over: colours (CSI sequences) and window titles (OSC sequences).
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[@-Z\\-_])")

# An escaped surrogate: nearly always half of a pair that is whole, which only encoding it tells.
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")


class Interrupted(BaseException):
    """The engine asked us to end: the time limit was reached, or the run was cancelled."""


class Unreadable(Exception):
    """The file is not a notebook that can be executed."""


class KernelMissing(Exception):
    def __init__(self, wanted, available):
        super().__init__(wanted)
        self.wanted = wanted
        self.available = available


class State:
    """What the signal handler and the error report need to know of the run."""

    client = None
    current = None  # index in the executed notebook of the cell that runs
    positions = ()  # index in the executed notebook -> index in the source notebook, None: injected
    kernel_process = None
    dead_kernel = False
    interrupted = False


def clean(text, limit=MAX_TEXT):
    text = ANSI.sub("", str(text)).encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= limit else text[: limit - 3] + "..."


def tail(traceback):
    lines = "\n".join(str(part) for part in traceback).splitlines()
    return [clean(line, MAX_TRACEBACK_LINE) for line in lines[-MAX_TRACEBACK_LINES:]]


def write_atomically(path, text):
    """A reader, or a kill at any moment, never sees half a file."""
    partial = str(path) + ".partial"
    # A lone surrogate in a cell's output cannot be encoded; inside JSON \udXXX is its own escape.
    with open(partial, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.write(text)
    os.replace(partial, path)


def write_progress(output_dir, cell, cells, done):
    try:
        write_atomically(output_dir / "progress.json", json.dumps({"cell": cell, "cells": cells, "done": done}))
    except OSError as error:  # progress is a courtesy: the run goes on without it
        logging.warning("progress cannot be written: %s", error)


def read_source(path, limit):
    """The notebook's text and structure, or Unreadable with the reason a person understands."""
    with open(path, "rb") as file:
        raw = file.read(limit + 1)
    if len(raw) > limit:
        raise Unreadable(f"it is larger than {limit} bytes; clear its outputs and save it again")
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is not UTF-8 text: {error}") from None
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is not JSON: {error}") from None
    version = notebook.get("nbformat") if isinstance(notebook, dict) else None
    if version != 4:
        raise Unreadable(f"it is not in notebook format 4 (nbformat is {version!r}); open it in Jupyter and save it")
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(
        isinstance(cell, dict) and isinstance(cell.get("cell_type"), str) and isinstance(cell.get("source"), (str, list))
        for cell in cells
    ):
        raise Unreadable("its cells are not a list of cells with cell_type and source")
    try:
        if SURROGATE.search(text):
            json.dumps(notebook, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise Unreadable(f"it holds text that is no Unicode (half a surrogate pair): {error}") from None
    return text, notebook


def tags(cell):
    return (cell.get("metadata") or {}).get("tags") or []


def source_positions(source_cells, executed_cells, injected):
    """For each executed cell its position in the source: papermill drops old error markers and injects one cell."""
    from papermill.execute import ERROR_MARKER_TAG

    positions = [i for i, cell in enumerate(source_cells) if ERROR_MARKER_TAG not in tags(cell)]
    if injected and not any("injected-parameters" in tags(cell) for cell in source_cells):
        at = next(i for i, cell in enumerate(executed_cells) if "injected-parameters" in tags(cell))
        positions.insert(at, None)
    return positions


def add_conda_kernels(envs, folder):
    """Make the kernels of conda environments known under the names SageMaker's Jupyter gives them.

    SageMaker's own server lists `conda_<env>` through a plugin of its configuration; a plain kernel
    lookup, which is what papermill does, finds only specs in kernels folders. So specs are made that
    start the environment's own interpreter as activation would. `python3` then means the conda
    environment of that name, where the person's packages are, and not the engine's bare one.
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
        spec["env"] = {
            **(spec.get("env") or {}),
            "CONDA_PREFIX": str(env),
            "CONDA_DEFAULT_ENV": env.name,
            "PATH": f"{env / 'bin'}{os.pathsep}{os.environ.get('PATH', '')}",
        }
        names = [f"conda_{env.name}"] if python else [spec_file.parent.name]
        if python and env.name == "python3":
            names.append("python3")
        for name in names:
            target = folder / "kernels" / name
            target.mkdir(parents=True, exist_ok=True)
            (target / "kernel.json").write_text(json.dumps(spec), "utf-8")


def choose_kernel(notebook, override):
    """The name and language of the kernel to use, or KernelMissing with those that are there."""
    from jupyter_client.kernelspec import KernelSpecManager

    manager = KernelSpecManager()
    available = sorted(manager.find_kernel_specs())
    metadata = notebook.get("metadata") if isinstance(notebook.get("metadata"), dict) else {}
    kernelspec = metadata.get("kernelspec") if isinstance(metadata.get("kernelspec"), dict) else {}
    # A notebook without a kernelspec was written by a tool, or by hand: Jupyter's own default is python3.
    wanted = override or kernelspec.get("name") or "python3"
    if not isinstance(wanted, str) or wanted.lower() not in available:
        raise KernelMissing(clean(wanted, 200), available)
    return wanted, manager.get_kernel_spec(wanted).language or "python"


def make_engine(spec, notebook_cells, output_dir, sockets):
    """Papermill's own engine, that also tells progress, caps output and marks the cell where a kernel died."""
    import nbformat
    from nbclient.exceptions import DeadKernelError
    from papermill.clientwrap import PapermillNotebookClient
    from papermill.engines import NBClientEngine
    from papermill.log import logger

    limit = spec["max_output_bytes"]

    class Client(PapermillNotebookClient):
        kept_bytes = 0
        full = False
        noted_cell = None

        def create_kernel_manager(self):
            manager = super().create_kernel_manager()
            if sockets is not None:
                manager.transport = "ipc"
                manager.ip = os.path.join(sockets, "kernel")
            return manager

        def papermill_execute_cells(self):
            State.kernel_process = getattr(self.km.provisioner, "process", None)
            super().papermill_execute_cells()

        def process_message(self, msg, cell, cell_index):
            if msg["msg_type"] in OUTPUT_MESSAGES:
                if self.full and cell_index == self.noted_cell:
                    return None
                msg = self.note(msg, "") if self.full else self.capped(msg)
                if self.full:
                    self.noted_cell = cell_index
            return super().process_message(msg, cell, cell_index)

        def capped(self, msg):
            content = msg["content"]
            stream = msg["msg_type"] == "stream"
            size = len(content["text"]) if stream else len(json.dumps(content["data"]))
            if self.kept_bytes + size > limit:
                # Outputs may have been cleared or replaced meanwhile (live plots): count what is really there.
                self.kept_bytes = len(nbformat.writes(self.nb))
            room = limit - self.kept_bytes
            self.kept_bytes += size
            if size <= room:
                return msg
            self.full = True
            kept = content["text"][: max(room, 0)] if stream else ""
            return self.note(msg, f"{kept}\n")

        def note(self, msg, kept):
            text = f"{kept}[output beyond {limit} bytes of the run is left out by Reveille]\n"
            return {**msg, "msg_type": "stream", "content": {"name": msg["content"].get("name", "stderr"), "text": text}}

    def mark(nb_man, ename, evalue):
        """Give the cell an error, so that papermill marks it as it marks any failed cell."""
        if State.current is None:
            return
        cell = nb_man.nb.cells[State.current]
        nb_man.cell_exception(cell, cell_index=State.current)
        if cell.cell_type == "code":
            cell.outputs.append(nbformat.v4.new_output("error", ename=ename, evalue=evalue, traceback=[f"{ename}: {evalue}"]))

    class Engine(NBClientEngine):
        @classmethod
        def execute_managed_notebook(cls, nb_man, kernel_name, log_output=False, start_timeout=60, **_):
            # The copy that papermill read is an implementation detail: name the notebook itself.
            nb_man.nb.metadata.papermill["input_path"] = spec["notebook"]
            State.positions = source_positions(notebook_cells, nb_man.nb.cells, bool(spec["parameters"]))
            cells = len(notebook_cells)
            shown = {"cell": 0, "done": 0}
            write_progress(output_dir, cells=cells, **shown)
            start, complete = nb_man.cell_start, nb_man.cell_complete

            def cell_start(cell, cell_index=None, **kwargs):
                State.current = cell_index
                position = State.positions[cell_index]
                if position is not None:
                    shown["cell"] = position + 1
                write_progress(output_dir, cells=cells, **shown)
                start(cell, cell_index, **kwargs)

            def cell_complete(cell, cell_index=None, **kwargs):
                complete(cell, cell_index=cell_index, **kwargs)
                if State.positions[cell_index] is not None and cell.metadata.papermill["status"] == "completed":
                    shown["done"] = State.positions[cell_index] + 1
                write_progress(output_dir, cells=cells, **shown)

            nb_man.cell_start, nb_man.cell_complete = cell_start, cell_complete
            def execute_once():
                State.client = Client(
                    nb_man,
                    kernel_name=kernel_name,
                    log=logger,
                    log_output=log_output,
                    startup_timeout=start_timeout,
                    timeout=None,
                    # Papermill fails a cell whose outputs come more than 4 s after its end: a busy machine does that.
                    iopub_timeout=OUTPUT_LAG_SECONDS,
                    raise_on_iopub_timeout=False,
                )
                State.client.execute()

            try:
                for attempt in range(1, KERNEL_STARTS + 1):
                    try:
                        execute_once()
                        break
                    except RuntimeError as error:
                        if State.current is not None or attempt == KERNEL_STARTS or "Kernel died" not in str(error):
                            raise
                        logger.warning("the kernel did not start (try %d of %d): %s", attempt, KERNEL_STARTS, error)
            except DeadKernelError:
                State.dead_kernel = True
                mark(nb_man, "KernelDied", kernel_end())
            except Interrupted:
                mark(nb_man, "Interrupted", "Reveille ended the run in this cell: its time limit was reached, or it was cancelled")

    return Engine


def kernel_end():
    code = getattr(State.kernel_process, "returncode", None)
    if code is None:
        return "the kernel process ended while the cell was running"
    if code >= 0:
        return f"the kernel process exited with status {code} while the cell was running"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"the kernel process was killed by {name} while the cell was running"


def source_position(index):
    return State.positions[index] if index is not None and index < len(State.positions) else None


def caused_by_full_disk(error):
    seen = 0
    while error is not None and seen < 20:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False


def run(spec, output_dir):
    """Execute; return result.json's content. Raises nothing but Interrupted."""
    try:
        text, notebook = read_source(spec["notebook"], spec["max_notebook_bytes"])
    except Unreadable as error:
        return {"kind": "notebook_unreadable", "reason": clean(error)}
    except OSError as error:
        return {"kind": "notebook_unreadable", "reason": clean(f"it cannot be read: {error}")}
    try:
        import nbformat
        import papermill
        from papermill.iorw import LocalHandler, papermill_io
    except ImportError as error:
        return {"kind": "engine_broken", "message": clean(f"papermill cannot be imported: {error}")}

    class AtomicHandler(LocalHandler):
        def write(self, buf, path):
            write_atomically(path, buf)

    sockets = None
    try:
        add_conda_kernels(spec["conda_envs"], output_dir / "jupyter")
        kernel, language = choose_kernel(notebook, spec["kernel"])
        source = output_dir / "source.ipynb"
        source.write_text(text, "utf-8")
        try:
            nbformat.reads(text, as_version=4)
        except Exception as error:
            return {"kind": "notebook_unreadable", "reason": clean(f"its structure is broken: {type(error).__name__}: {error}")}
        papermill_io.register(str(output_dir), AtomicHandler())
        sockets = tempfile.mkdtemp(prefix="reveille-", dir=SOCKETS) if language == "python" else None
        engine = make_engine(spec, notebook["cells"], output_dir, sockets)
        papermill.engines.papermill_engines.register("reveille", engine)
        threading.Thread(target=import_exporter, daemon=True).start()
        papermill.execute_notebook(
            escape(source),
            escape(output_dir / "output.ipynb"),
            parameters=spec["parameters"] or None,
            engine_name="reveille",
            kernel_name=kernel,
            language=language,
            progress_bar=False,
            log_output=True,
            start_timeout=KERNEL_START_SECONDS,
            cwd=spec["working_dir"],
        )
    except KernelMissing as error:
        return {"kind": "kernel_not_found", "wanted": error.wanted, "available": error.available}
    except papermill.PapermillExecutionError as error:
        return failed_cell(error)
    except Exception as error:
        return other_failure(error)
    finally:
        if sockets is not None:
            shutil.rmtree(sockets, ignore_errors=True)
    return {"kind": "interrupted"} if State.interrupted else {"kind": "succeeded"}


def escape(path):
    """Papermill formats paths with the parameters: a brace in a folder's name is a brace."""
    return str(path).replace("{", "{{").replace("}", "}}")


def failed_cell(error):
    position = source_position(error.cell_index)
    if State.interrupted:
        return {"kind": "interrupted"}
    if State.dead_kernel:
        return {"kind": "kernel_died", "cell_index": position, "message": clean(error.evalue)}
    return {
        "kind": "notebook_failed",
        "cell_index": position,
        "execution_count": error.exec_count,
        "ename": clean(error.ename, 200),
        "evalue": clean(error.evalue),
        "traceback_tail": tail(error.traceback),
    }


def other_failure(error):
    logging.error("the notebook could not be executed", exc_info=error)
    text = clean(f"{type(error).__name__}: {error}")
    if caused_by_full_disk(error):
        return {"kind": "disk_full", "message": text}
    if State.interrupted:
        return {"kind": "interrupted"}
    if "No parameter translator functions" in text:
        reason = "papermill cannot pass parameters to a kernel of this language; run it without parameters"
        return {"kind": "notebook_unreadable", "reason": reason}
    if State.client is not None and (isinstance(error, OSError) or "Kernel d" in text):
        return {"kind": "kernel_died", "cell_index": source_position(State.current), "message": text}
    return {"kind": "engine_broken", "message": text}


def export_html(spec, output_dir):
    """output.html of whatever output.ipynb holds; a failure is told and changes nothing else."""
    if not (output_dir / "output.ipynb").exists():
        return "there is no output notebook to export"
    signal.signal(signal.SIGALRM, interrupt)
    signal.alarm(spec["export_seconds"])
    try:
        import nbformat
        from nbconvert.exporters.html import HTMLExporter

        notebook = nbformat.read(output_dir / "output.ipynb", as_version=4)
        name = Path(spec["notebook"]).stem
        body, _ = HTMLExporter().from_notebook_node(notebook, resources={"metadata": {"name": name}})
        write_atomically(output_dir / "output.html", body)
        return None
    except Interrupted:
        return f"it took longer than {spec['export_seconds']} s"
    except Exception as error:
        return clean(f"{type(error).__name__}: {error}")
    finally:
        signal.alarm(0)


def interrupt(*_):
    State.interrupted = True
    if State.client is not None:
        State.client.shutdown_kernel = "immediate"
    # Once is enough: the second one would interrupt the saving of what there is.
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    raise Interrupted


def import_exporter():
    """While the kernel starts nobody needs this process: load the exporter meanwhile."""
    try:
        import nbconvert.exporters.html  # noqa: F401
    except Exception:  # told by export_html, where it matters
        pass


def execute(spec, output_dir):
    signal.signal(signal.SIGTERM, interrupt)
    result = {"kind": "interrupted"}
    try:
        result = run(spec, output_dir)
    except Interrupted:
        pass
    result_file = output_dir / "result.json"
    write_atomically(result_file, json.dumps(result))
    if State.interrupted:
        return  # the engine is waiting for us to end; it has the export done afterwards
    html_error = export_html(spec, output_dir)
    if html_error is not None:
        logging.warning("output.html was not made: %s", html_error)
        write_atomically(result_file, json.dumps({**result, "html_error": html_error}))


class Lines(logging.Formatter):
    """UTC times; papermill logs what cells print with its line ends, which would leave empty lines."""

    converter = time.gmtime

    def format(self, record):
        return super().format(record).rstrip("\n")


def main():
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines("%(asctime)sZ %(message)s", "%Y-%m-%dT%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    spec = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    output_dir = Path(spec["output_dir"])
    if spec["mode"] == "export":
        html_error = export_html(spec, output_dir)
        if html_error is not None:
            logging.warning("output.html was not made: %s", html_error)
        return
    try:
        execute(spec, output_dir)
    except OSError as error:
        if not caused_by_full_disk(error):
            raise
        print(error, file=sys.stderr)
        sys.exit(DISK_FULL)


main()
