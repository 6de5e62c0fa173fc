"""The execution of one notebook, from its source to an answer.

One event loop runs everything. That the run is to end comes as a flag which the loop looks at, never as an
exception: one that is raised into whatever happens to run can be swallowed there, and was.
"""

import asyncio
import logging

from reveille_driver import cell_end, exit_status, kernels, parameters, source
from reveille_driver.process import KernelProcess, kernel_end
from reveille_driver.progress import Progress
from reveille_driver.texts import clean, tail

# A kernel of a big conda environment needs tens of seconds for its first start on a cold disk.
KERNEL_START_SECONDS = 120
# Jupyter picks free ports before the kernel binds them: two kernels that start at once may get the same one, and one
# of them dies or is never heard. ipykernel is therefore spoken to over sockets in a folder of its own, which nobody
# else on the machine can open either. Another kernel uses ports; before the first cell its start can be repeated.
KERNEL_STARTS = 3
SHUT_DOWN_SECONDS = 60
SAVE_LOOK_SECONDS = 0.25
# A cell that is interrupted may wait in its turn: for the threads of a pool, say, which never end. The next one ends that.
# job.rs has the same number, and gives the time.
INTERRUPTS = 2
# nbclient's convention, and so papermill's.
SKIP_TAG = "skip-execution"
INTERRUPTED = "Reveille ended the run in this cell: its time limit was reached, it was cancelled, or its instance was stopped"
UNQUOTED = "what it raised is not quoted here, because it may hold a parameter's value; the output notebook shows it"


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
        # For the interrupted cell to say where it was.
        self.interrupt_seconds = spec["interrupt_seconds"]
        self.stop = asyncio.Event()
        self.cell_over = asyncio.Event()
        self.current = None
        self.last_run = None
        self.positions = []
        self.injected = None
        self.process = self.client = self.record = None
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
        except kernels.KernelBroken as error:
            raise Ended({"kind": "kernel_died", "cell_index": None, "message": clean(error), "how": "other"}) from None
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
            self.language = kernels.language(self.notebook, self.kernel, self.spec["kernel"])
            parameters.check_tags(self.notebook["cells"], values, self.language)
            text = parameters.cell_source(values, self.kernel.name, self.language)
            at, replaces = parameters.place(cells)
            position = numbered[at][1] if replaces else None
            numbered[at : at + replaces] = [(parameters.injected_cell(text, cells), position)]
            self.injected = at
        else:
            parameters.tell_left_over(self.notebook["cells"])
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
        if self.injected is not None:
            info = await self.client.language_info()
            # None is a kernel that died, which the first cell finds out.
            if info is not None and (problem := kernels.other_language(self.kernel, self.language, info.get("name"))):
                raise Ended({"kind": "parameters_refused", "reason": clean(problem)})
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
                await self.process.kill()
                if attempt == KERNEL_STARTS:
                    message = clean(f"the kernel {self.kernel.name} did not start: {error}")
                    raise Ended({"kind": "kernel_died", "cell_index": None, "message": message, "how": "other"}) from None

    async def start_once(self, sockets):
        self.process = KernelProcess(self.kernel, self.spec, self.output_dir)
        await self.process.start(sockets)
        # While the kernel starts, what is needed next is loaded.
        if self.page is None:
            self.page = self.begin_page()
        from reveille_driver.client import Client
        from reveille_driver.exchange import NotReady
        from reveille_driver.record import Record

        if self.record is None:
            self.make_record(Record)
        self.process.connect()
        quiet = () if self.injected is None else (self.injected,)
        self.client = Client(self.record.nb, self.process.km, self.process.kc, self.spec["max_output_bytes"], quiet)
        self.client.changed = self.record.touch
        self.record.before_save = self.client.settle
        try:
            await self.client.ready(KERNEL_START_SECONDS)
            self.process.shell_ended()
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
        parameters.tell_places(nb["metadata"], self.cells, self.positions, self.injected)
        self.record = record(nb, str(self.output_dir / "output.ipynb"))
        about = {
            "version": parameters.load_translators()[-1],
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

        asked = cell_end.SHUT_DOWN if self.kernel.is_ipykernel else cell_end.FAILED if self.kernel.is_xeus_python else None
        allowed = "raises-exception" in cell["metadata"]["tags"]
        try:
            reply = await self.client.run(cell, index, asked) or await self.unanswered(cell)
        except KernelDied as died:
            # A kernel that ends well before it said that it began was ended by the cell before. ipykernel's cells tell of that
            # themselves (SHUT_DOWN), and a kernel that leaves at once takes what it had to say along: there it is this cell.
            here = died.began or self.kernel.is_ipykernel or self.last_run is None
            raise self.kernel_died(index if here else self.last_run) from None
        reply = cell_end.as_it_ended(reply)
        if reply.get("status") == "ok":
            self.show_beside(cell, index, reply)
        await self.check_end(cell, index, reply, allowed)
        if cell_end.shuts_down(reply) and await self.process.gone_within(SHUT_DOWN_SECONDS):
            raise self.kernel_died(index)

    def show_beside(self, cell, index, reply):
        """What the reply itself brings to show, as Jupyter shows it."""
        for data in cell_end.pages(reply):
            self.client.show(cell, index, "display_data", {"data": data, "metadata": {}})
        if cell_end.proposes_a_cell(reply):
            logging.info("This cell proposes the text of another one, as %load does. It is not executed.")

    async def check_end(self, cell, index, reply, allowed):
        """Raises where the notebook ends with this cell."""
        swallowed = cell_end.swallowed(cell, self.client.errors.get(index))
        allowed = allowed and not self.client.is_lost
        if not allowed and (reply.get("status") != "ok" or swallowed):
            raise await self.cell_failed(cell, index, reply if reply.get("status") != "ok" else swallowed)
        for status in self.exits(index, reply):
            if cell_end.is_success(status):
                # `exit()` and `quit()`: the author's end, as sys.exit(0) is.
                raise Ended({"kind": "succeeded"})
            if not allowed:
                raise self.exit_failed(cell, index, status)

    def exits(self, index, reply):
        """What the cell exits with, in a list; an empty one where it does not."""
        sources = [cell["source"] for cell in self.record.nb["cells"][: index + 1] if cell["cell_type"] == "code"]
        return exit_status.told(cell_end.exits(reply), self.kernel_language(), self.process.shell_ended(), sources)

    def kernel_language(self):
        return (self.kernel.spec.language or "").lower()

    async def unanswered(self, cell):
        """In the place of a reply that the kernel could not send: `exit(error)` makes one, whose value is no JSON."""
        if self.client.is_lost:
            return cell_end.lost(cell)
        return cell_end.unsent_exit(await self.ask(cell_end.EXIT_VALUE))

    async def ask(self, expressions):
        return await self.client.ask(expressions) if self.kernel.is_ipykernel else {}

    async def cell_failed(self, cell, index, reply):
        """What the kernel's reply says; an error that it did not also publish is put into the cell."""
        shown = self.client.errors.get(index, {})
        name, text, traceback = cell_end.error_of(reply, shown, cell)
        raised = cell_end.answer(await self.ask(cell_end.RAISED), "reveille_raised") if cell_end.may_be_exit(name) else None
        if raised == f"[{name!r}, True]" or (raised is None and name == "SystemExit" and text in cell_end.SUCCESS):
            return Ended({"kind": "succeeded"})
        if not cell_end.is_shown(reply, shown) and not (self.stop.is_set() and not name):
            self.show_error(cell, index, name, text, reply.get("traceback") or [])
        return self.failed(cell, index, name, text, traceback)

    def exit_failed(self, cell, index, status):
        """`exit(1)` or `exit("no data")`: IPython raises nothing for it. Other languages have no name for it."""
        name, text = "SystemExit" if self.kernel_language() == "python" else "", str(status)
        self.show_error(cell, index, name, text, [])
        printed = [] if name else cell_end.last_printed(cell)
        return self.failed(cell, index, name, text, printed or [cell_end.in_words(name, text)])

    def failed(self, cell, index, name, text, traceback):
        self.record.cell_failed(index)
        answer = {
            "kind": "notebook_failed",
            "cell_index": self.positions[index],
            "execution_count": cell.get("execution_count"),
            "ename": clean(name, 200),
            "evalue": clean(text),
            "traceback_tail": tail(traceback),
        }
        if index == self.injected:
            import builtins

            known = isinstance(getattr(builtins, name, None), type)
            answer.update(cell_index=None, ename=name if known else "an error", evalue=UNQUOTED, traceback_tail=[])
        return Ended(answer, failed=index)

    def show_error(self, cell, index, ename, evalue, traceback):
        """Gives the cell an error output, bounded as any other."""
        lines = [str(line) for line in traceback] if isinstance(traceback, (list, tuple)) else [str(traceback)]
        content = {"ename": ename, "evalue": evalue, "traceback": lines or [cell_end.in_words(ename, evalue)]}
        self.client.show(cell, index, "error", content)

    def kernel_died(self, index):
        code = self.client.end()
        message, how = kernel_end(code)
        self.mark(index, "KernelDied", message)
        answer = {"kind": "kernel_died", "cell_index": self.positions[index], "message": message, "how": how}
        return Ended(answer, failed=index)

    def mark(self, index, ename, evalue, traceback=()):
        """Gives a cell that could not say it itself an error, so that it is marked as any failed cell."""
        cell = self.record.nb["cells"][index]
        self.record.cell_failed(index)
        if cell["cell_type"] == "code":
            self.client.close_streams()
            self.show_error(cell, index, ename, evalue, [*traceback, f"{ename}: {evalue}"])

    async def check_alive_at_the_end(self):
        info = await self.client.language_info(self.spec["exit_seconds"])
        if info:
            self.record.nb["metadata"]["language_info"] = info
        elif info is None and self.last_run is not None:
            raise self.kernel_died(self.last_run)

    # -- the end

    async def end_early(self, work):
        """The limit, or a cancellation. What there is is safe before anything else is tried."""
        answer = {"kind": "interrupted", "cell_index": None, "traceback_tail": []}
        index, hears = self.current, False
        if self.record is not None:
            try:
                self.record.save()
            except OSError as error:
                logging.warning("the output notebook cannot be saved for now: %s", error)
        if index is not None:
            answer["cell_index"] = self.positions[index]
            answer["traceback_tail"] = await self.interrupt(index)
            hears = self.cell_over.is_set()
        work.cancel()
        await asyncio.gather(work, return_exceptions=True)
        if index is not None:
            self.mark(index, "Interrupted", INTERRUPTED)
            self.record.cell_end(index)
        if self.record is not None:
            self.record.finish(index)
        if self.process is not None:
            await self.process.end_early(hears)
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
        await self.process.km.interrupt_kernel()
        await self.client.turn_loop()
        await self.cell_over.wait()


class NotStarted(Exception):
    """A start of the kernel that came to nothing."""
