"""The execution of one notebook, from its source to an answer.

One event loop runs everything. That the run is to end comes as a flag which the loop looks at, never as an
exception: one that is raised into whatever happens to run can be swallowed there, and was.
"""

import asyncio
import logging
import os
import shutil
import signal
import tempfile

from reveille_driver import kernels, parameters, source
from reveille_driver.progress import Progress
from reveille_driver.texts import clean, tail

# A kernel of a big conda environment needs tens of seconds for its first start on a cold disk.
KERNEL_START_SECONDS = 120
# Jupyter picks free ports before the kernel binds them: two kernels that start at once may get the same one, and one
# of them dies or is never heard. ipykernel is therefore spoken to over sockets in a folder of its own, which nobody
# else on the machine can open either. Another kernel uses ports; before the first cell its start can be repeated.
KERNEL_STARTS = 3
# Where a folder of this process's own is made if something stands in the place of the one that the engine named.
ELSEWHERE = "/tmp"
# Asked of ipykernel with each cell: whether the cell told the kernel itself to shut down. It does so a moment after its
# reply, in which the next cell may or may not be executed.
SHUT_DOWN = {"reveille_shuts_down": "get_ipython().exit_now"}
SHUT_DOWN_SECONDS = 60
# How many messages may wait in this process until they are taken in. The kernel throws away what finds no room, also the
# word that a cell has ended; ZeroMQ's own bound, 1,000, is passed by a progress bar on a machine that is busy.
WAITING_MESSAGES = 1_000_000
SAVE_LOOK_SECONDS = 0.25
END_POLL_SECONDS = 0.05
# A cell that is interrupted may wait in its turn: for the threads of a pool, say, which never end. The next one ends that.
INTERRUPTS = 2
# nbclient's convention, and so papermill's.
SKIP_TAG = "skip-execution"
INTERRUPTED = "Reveille ended the run in this cell: its time limit was reached, it was cancelled, or its instance was stopped"
UNQUOTED = "what it raised is not quoted here, because it may hold a parameter's value; the output notebook shows it"


# What `sys.exit()` was given, as the kernel tells it, where Python's own status is 0.
SUCCESS = ("", "0", "None", "False")


class Ended(Exception):
    """The notebook's end before its last cell, with the answer."""

    def __init__(self, answer, failed=None):
        super().__init__(answer["kind"])
        self.answer = answer
        self.failed = failed


class Run:
    def __init__(self, spec, output_dir):
        self.spec = spec
        self.output_dir = output_dir
        # For the interrupted cell to say where it was; for its kernel after SIGTERM; and after the last cell for what the
        # notebook registered for its kernel's end (atexit).
        self.interrupt_seconds = spec["interrupt_seconds"]
        self.grace = spec["grace_seconds"]
        self.exit_seconds = spec["exit_seconds"]
        self.stop = asyncio.Event()
        self.cell_over = asyncio.Event()
        self.current = None
        self.last_run = None
        self.positions = []
        self.injected = None
        self.km = self.kc = self.client = self.record = None
        self.kernel_folder = None
        # What prepares the page once the kernel is on its way.
        self.begin_page = self.page = None

    # -- preparation

    def prepare(self):
        """Reads and chooses everything that needs no kernel; raises Ended, or what its parts raise."""
        spec = self.spec
        try:
            notebook = source.read(spec["notebook"], spec["max_notebook_bytes"])
        except source.Unreadable as error:
            raise Ended({"kind": "notebook_unreadable", "reason": clean(error)}) from None
        except OSError as error:
            raise Ended({"kind": "notebook_unreadable", "reason": clean(f"it cannot be read: {error}")}) from None
        own_specs = self.output_dir / "jupyter"
        kernels.add_conda_kernels(spec["conda_envs"], own_specs)
        try:
            self.kernel = kernels.choose(notebook, spec["kernel"], own_specs)
        except kernels.KernelMissing as error:
            answer = {"kind": "kernel_not_found", "wanted": error.wanted, "available": error.available}
            raise Ended(answer) from None
        self.notebook = notebook
        self.progress = Progress(self.output_dir, len(notebook["cells"]))
        try:
            self.cells = self.place_cells()
        except parameters.Refused as error:
            raise Ended({"kind": "parameters_refused", "reason": clean(error)}) from None

    def place_cells(self):
        """The cells to execute: without old error markers, with the parameters; `positions` leads back to the source."""
        numbered = [
            (cell, position)
            for position, cell in enumerate(self.notebook["cells"])
            if source.ERROR_MARKER_TAG not in cell["metadata"]["tags"]
        ]
        values = self.spec["parameters"]
        if values:
            cells = [cell for cell, _ in numbered]
            parameters.check_tags(self.notebook["cells"], values)
            language = kernels.language(self.notebook, self.kernel, self.spec["kernel"])
            text = parameters.cell_source(values, self.kernel.name, language)
            at, replaces = parameters.place(cells)
            taken = {cell["id"] for cell in cells}
            name = "injected-parameters"
            while name in taken:
                name += "-"
            cell = {
                "cell_type": "code",
                "id": name,
                "source": text,
                "metadata": {"tags": [parameters.INJECTED_TAG]},
                "outputs": [],
                "execution_count": None,
            }
            position = numbered[at][1] if replaces else None
            numbered[at : at + replaces] = [(cell, position)]
            self.injected = at
        self.positions = [position for _, position in numbered]
        return [cell for cell, _ in numbered]

    # -- execution

    async def execute(self):
        """The answer. Whatever happens, the output notebook is as far as the cells came."""
        work = asyncio.ensure_future(self.work())
        stopping = asyncio.ensure_future(self.stop.wait())
        saving = asyncio.ensure_future(self.save_now_and_then())
        try:
            await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
            if work.done():
                return self.concluded(work)
            return await self.end_early(work)
        finally:
            for task in (work, stopping, saving):
                task.cancel()
            await asyncio.gather(work, stopping, saving, return_exceptions=True)

    def concluded(self, work):
        try:
            work.result()
        except Ended as ended:
            if self.record is not None:
                self.record.finish(ended.failed)
            return ended.answer
        self.record.finish()
        return {"kind": "succeeded"}

    async def work(self):
        await self.start_kernel()
        await self.run_cells()

    async def save_now_and_then(self):
        told = False
        while True:
            await asyncio.sleep(SAVE_LOOK_SECONDS)
            try:
                if self.record is not None:
                    self.record.save_if_due()
            except OSError as error:
                # There may be room again before the end, when it has to succeed.
                if not told:
                    logging.warning("the output notebook cannot be saved for now: %s", error)
                told = True

    async def start_kernel(self):
        for attempt in range(1, KERNEL_STARTS + 1):
            try:
                await self.start_once(sockets=self.kernel.is_ipykernel and attempt < KERNEL_STARTS)
                return
            except (NotStarted, OSError) as error:
                logging.warning("the kernel did not start (try %d of %d): %s", attempt, KERNEL_STARTS, clean(error))
                await self.kill_kernel()
                if attempt == KERNEL_STARTS:
                    message = clean(f"the kernel {self.kernel.name} did not start: {error}")
                    raise Ended({"kind": "kernel_died", "cell_index": None, "message": message, "killed": False}) from None

    async def start_once(self, sockets):
        from jupyter_client import AsyncKernelManager

        km = AsyncKernelManager(kernel_name=self.kernel.name, kernel_spec_manager=self.kernel.manager)
        self.kernel_folder = private_folder(self.spec["kernel_folder"])
        # Named, because Jupyter makes a file in the temporary folder otherwise, which outlives who is killed. A kernel of an
        # earlier try removes its own file at most.
        kernel = os.path.join(self.kernel_folder, os.urandom(4).hex())
        km.connection_file = kernel + ".json"
        if sockets:
            km.transport, km.ip = "ipc", kernel
        self.km = km
        # The history of a person's own sessions is none of the run's business, and its file may be locked.
        extra = ["--HistoryManager.hist_file=:memory:"] if self.kernel.is_ipykernel else []
        # The specification's variables are in it; the manager would put them over what activation made of them.
        km.kernel_spec.env = {}
        env = self.kernel.environment(self.output_dir)
        await km.start_kernel(extra_arguments=extra, cwd=self.spec["working_dir"], env=env)
        # While the kernel starts, what is needed next is loaded.
        if self.page is None:
            self.page = self.begin_page()
        from reveille_driver.client import Client, NotReady
        from reveille_driver.record import Record

        if self.record is None:
            self.make_record(Record)
        import zmq

        self.kc = km.client()
        # Said of the context, it holds for the sockets that are made in it.
        self.kc.context.setsockopt(zmq.RCVHWM, WAITING_MESSAGES)
        self.kc.start_channels()
        # Nobody is there to answer: `input()` fails instead of waiting. Starting the channels has set it.
        self.kc.allow_stdin = False
        quiet = () if self.injected is None else (self.injected,)
        self.client = Client(self.record.nb, km, self.kc, self.spec["max_output_bytes"], quiet)
        self.client.changed = self.record.touch
        self.record.before_save = self.client.settle
        try:
            await self.client.ready(KERNEL_START_SECONDS)
        except NotReady as error:
            code = self.client.end()
            raise NotStarted(str(error) if code is None else kernel_end(code)[0]) from None

    def make_record(self, record):
        import nbformat

        metadata = self.notebook["metadata"]
        spec = metadata.setdefault("kernelspec", {})
        spec.setdefault("name", self.kernel.name)
        spec.setdefault("display_name", self.kernel.spec.display_name or self.kernel.name)
        nb = nbformat.from_dict({**self.notebook, "cells": self.cells})
        self.notebook = None
        self.record = record(nb, str(self.output_dir / "output.ipynb"))
        about = {
            "version": parameters.load_translators()[3],
            "parameters": self.spec["parameters"],
            # The copy that is read is an implementation detail: name the notebook itself.
            "input_path": self.spec["notebook"],
            "output_path": str(self.output_dir / "output.ipynb"),
        }
        self.record.start(about)

    async def run_cells(self):
        for index, cell in enumerate(self.record.nb["cells"]):
            if self.stop.is_set():
                # The cell outlived the interrupt; the next one must not begin.
                await asyncio.get_running_loop().create_future()
            position = self.positions[index]
            self.current = index
            logging.info("Executing cell %s", "with the parameters" if position is None else position + 1)
            self.record.cell_start(index)
            self.progress.begins(index, position)
            try:
                if cell["cell_type"] == "code" and cell["source"].strip() and SKIP_TAG not in cell["metadata"]["tags"]:
                    self.cell_over.clear()
                    await self.run_cell(cell, index)
                    self.last_run = index
            finally:
                self.cell_over.set()
                self.record.cell_end(index)
            self.progress.completed(position)
        self.current = None
        await self.check_alive_at_the_end()

    async def run_cell(self, cell, index):
        from reveille_driver.client import KernelDied

        allowed = "raises-exception" in cell["metadata"]["tags"]
        try:
            reply = await self.client.run(cell, index, allowed, SHUT_DOWN if self.kernel.is_ipykernel else None)
        except KernelDied as died:
            raise self.kernel_died(index if died.began or self.last_run is None else self.last_run) from None
        exits = any(item.get("source") == "ask_exit" for item in reply.get("payload") or [] if isinstance(item, dict))
        if reply.get("status") != "ok" and not allowed:
            raise self.cell_failed(cell, index, reply)
        if exits:
            # `exit()` and `quit()`: the author's end, as sys.exit(0) is.
            raise Ended({"kind": "succeeded"})
        if shuts_down(reply) and await self.gone_within(SHUT_DOWN_SECONDS):
            raise self.kernel_died(index)

    def cell_failed(self, cell, index, reply):
        """What the kernel's reply says; an error that it did not also publish is put into the cell."""
        if reply.get("ename") == "NoneType":
            # IPython's word for an error outside of the cell's code: in showing its value, for example.
            reply = {}
        published = [output for output in cell["outputs"] if output["output_type"] == "error"]
        shown = published[-1] if published else {}
        ename = str(reply.get("ename") or shown.get("ename") or "an error without a name")
        evalue = str(reply.get("evalue") or shown.get("evalue") or "")
        if not reply.get("ename") and not shown:
            ename, evalue = named_in(last_words(cell))
        traceback = reply.get("traceback") or shown.get("traceback") or last_words(cell)
        self.record.cell_failed(index)
        if ename == "SystemExit" and evalue in SUCCESS:
            return Ended({"kind": "succeeded"})
        if not published:
            self.show_error(cell, index, ename, evalue, reply.get("traceback") or [])
        answer = {
            "kind": "notebook_failed",
            "cell_index": self.positions[index],
            "execution_count": cell.get("execution_count"),
            "ename": clean(ename, 200),
            "evalue": clean(evalue),
            "traceback_tail": tail(traceback),
        }
        if index == self.injected:
            import builtins

            known = isinstance(getattr(builtins, ename, None), type)
            answer.update(
                cell_index=None, ename=ename if known else "an error", evalue=UNQUOTED, traceback_tail=[]
            )
        return Ended(answer, failed=index)

    def show_error(self, cell, index, ename, evalue, traceback):
        """Gives the cell an error output, bounded as any other."""
        lines = [str(line) for line in traceback] if isinstance(traceback, (list, tuple)) else [str(traceback)]
        content = {"ename": ename, "evalue": evalue, "traceback": lines or [f"{ename}: {evalue}"]}
        message = {
            "msg_type": "error",
            "header": {"msg_type": "error"},
            "parent_header": {},
            "content": content,
        }
        self.client.take(message, cell, index)

    def kernel_died(self, index):
        code = self.client.end()
        message, killed = kernel_end(code)
        self.mark(index, "KernelDied", message)
        answer = {"kind": "kernel_died", "cell_index": self.positions[index], "message": message, "killed": killed}
        return Ended(answer, failed=index)

    def mark(self, index, ename, evalue, traceback=()):
        """Gives a cell that could not say it itself an error, so that it is marked as any failed cell."""
        cell = self.record.nb["cells"][index]
        self.record.cell_failed(index)
        if cell["cell_type"] == "code":
            self.client.close_screens(index)
            self.show_error(cell, index, ename, evalue, [*traceback, f"{ename}: {evalue}"])

    async def check_alive_at_the_end(self):
        info = await self.client.language_info()
        if info is not None:
            self.record.nb["metadata"]["language_info"] = info
        elif self.last_run is not None:
            raise self.kernel_died(self.last_run)
        self.client.set_widgets_metadata()

    # -- the end

    async def end_early(self, work):
        """The limit, or a cancellation. What there is is safe before anything else is tried."""
        answer = {"kind": "interrupted", "cell_index": None, "traceback_tail": []}
        index = self.current
        if self.record is not None:
            try:
                self.record.save()
            except OSError as error:
                logging.warning("the output notebook cannot be saved for now: %s", error)
        if index is not None:
            answer["cell_index"] = self.positions[index]
            answer["traceback_tail"] = await self.interrupt(index)
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        if index is not None:
            self.mark(index, "Interrupted", INTERRUPTED)
            self.record.cell_end(index)
        if self.record is not None:
            self.record.finish(index)
        await self.end_kernel_by_signal()
        return answer

    async def interrupt(self, index):
        """Asks the cell where it is: the traceback of its KeyboardInterrupt, if it gives one in time."""
        cell = self.record.nb["cells"][index]
        before = len(cell.get("outputs", ()))
        for _ in range(INTERRUPTS):
            try:
                await asyncio.wait_for(self.interrupted(), self.interrupt_seconds)
                break
            except (asyncio.TimeoutError, RuntimeError, OSError):
                pass
        errors = [output for output in cell.get("outputs", ())[before:] if output["output_type"] == "error"]
        if not errors or index == self.injected:
            return []
        return tail(errors[-1].get("traceback") or [])

    async def interrupted(self):
        await self.km.interrupt_kernel()
        await self.client.turn_loop()
        await self.cell_over.wait()

    async def end_kernel(self):
        """After the last cell: politely, with time for what the notebook registered for its end."""
        if self.km is None or not self.km.has_kernel:
            return
        await self.ask_to_end()
        if not await self.gone_within(self.exit_seconds):
            logging.warning("The kernel was still busy %d s after the last cell and was ended.", self.exit_seconds)
            await self.end_kernel_by_signal()
        self.clean_up()

    async def ask_to_end(self):
        """On the control channel; ipykernel on its shell channel, which it serves as well. The thread that answers on the
        control channel prints once more, while the main thread takes away what it prints to: at times both wait for ever."""
        if self.kernel.is_ipykernel and self.kc is not None:
            self.kc.shell_channel.send(self.kc.session.msg("shutdown_request", {"restart": False}))
        else:
            await self.km.request_shutdown()

    async def end_kernel_by_signal(self):
        """SIGTERM, the grace that a notebook's own handlers have, SIGKILL."""
        if self.km is None or not self.km.has_kernel:
            return
        provisioner = self.km.provisioner
        if await self.km.is_alive():
            await provisioner.send_signal(signal.SIGTERM)
            await self.gone_within(self.grace)
        await self.kill_kernel()

    async def kill_kernel(self):
        if self.km is not None and self.km.has_kernel:
            await self.km.provisioner.kill()
            await self.gone_within(self.grace)
        self.clean_up()

    async def gone_within(self, seconds):
        loop = asyncio.get_running_loop()
        deadline = loop.time() + seconds
        while await self.km.is_alive():
            if loop.time() >= deadline:
                return False
            await asyncio.sleep(END_POLL_SECONDS)
        return True

    def clean_up(self):
        if self.kc is not None:
            self.kc.stop_channels()
            self.kc = None
        if self.kernel_folder is not None:
            shutil.rmtree(self.kernel_folder, ignore_errors=True)
            self.kernel_folder = None


def private_folder(path):
    """A new folder that nobody else can enter: at the path, where the engine removes it after a kill. Where something of
    somebody else's stands there, another one."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return tempfile.mkdtemp(prefix="reveille-", dir=ELSEWHERE)
    return path


def shuts_down(reply):
    """Whether the answer to SHUT_DOWN is yes; a notebook that redefines what it asks for has no say in it."""
    answers = reply.get("user_expressions")
    answer = answers.get("reveille_shuts_down") if isinstance(answers, dict) else None
    data = answer.get("data") if isinstance(answer, dict) else None
    return isinstance(data, dict) and data.get("text/plain") == "True"


def last_words(cell):
    """What the cell wrote to stderr last: IPython prints some tracebacks there, and gives none in its reply."""
    written = [output["text"] for output in cell["outputs"] if output.get("name") == "stderr"]
    return written[-1:]


def named_in(words):
    """The error that a printed traceback ends with."""
    line = "".join(words).rstrip().rpartition("\n")[2]
    name, _, text = line.partition(":")
    if name.replace(".", "").isidentifier():
        return name.rpartition(".")[2], text.strip()
    return "an error without a name", line


class NotStarted(Exception):
    """A start of the kernel that came to nothing."""


def kernel_end(code):
    """How the kernel's process ended, in words, and whether SIGKILL ended it, as the operating system does for memory."""
    if code is None:
        return "the kernel process ended by itself", False
    if code >= 0:
        return f"the kernel process exited with status {code}", False
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"the kernel process was killed by {name}", -code == signal.SIGKILL
