"""One kernel's process, from its start to its end, and the folder that is its own. What cells do with it is no concern here."""

import asyncio
import logging
import os
import shutil
import signal
import tempfile
from pathlib import Path

# Where a folder of this process's own is made if something stands in the place of the one that the engine named.
ELSEWHERE = "/tmp"
# How many messages may wait in this process until they are taken in. The kernel throws away what finds no room, also the
# word that a cell has ended; ZeroMQ's own bound, 1,000, is passed by a progress bar on a machine that is busy.
WAITING_MESSAGES = 1_000_000
END_POLL_SECONDS = 0.05
# Between SIGTERM and SIGKILL, for a kernel that has had its grace before.
LEAST_GRACE = 1
# Programs that start a kernel as their child. SIGTERM is for both.
SHELLS = ("bash", "dash", "sh")
# Until a kernel that does not end when it is told on its shell channel is told on its control channel.
SHELL_SECONDS = 5


class KernelProcess:
    def __init__(self, kernel, spec, output_dir):
        self.kernel = kernel
        self.spec = spec
        self.output_dir = output_dir
        # After the last cell for what the notebook registered for its kernel's end (atexit), and after SIGTERM.
        self.exit_seconds = spec["exit_seconds"]
        self.grace = spec["grace_seconds"]
        self.km = self.kc = self.folder = None
        self.shell = None

    async def start(self, sockets):
        from jupyter_client import AsyncKernelManager

        km = AsyncKernelManager(kernel_name=self.kernel.name, kernel_spec_manager=self.kernel.manager)
        self.folder = private_folder(self.spec["kernel_folder"])
        # Named, because Jupyter makes a file in the temporary folder otherwise, which outlives who is killed. A kernel of an
        # earlier try removes its own file at most.
        kernel = os.path.join(self.folder, os.urandom(4).hex())
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

    def connect(self):
        import zmq

        self.kc = self.km.client()
        # Said of the context, it holds for the sockets that are made in it.
        self.kc.context.setsockopt(zmq.RCVHWM, WAITING_MESSAGES)
        # Without heartbeats: the process itself is looked at. The thread for them, if it starts while a kernel that did not is
        # cleared away, writes into the log that too many files are open.
        self.kc.start_channels(hb=False)
        # Nobody is there to answer: `input()` fails instead of waiting. Starting the channels has set it.
        self.kc.allow_stdin = False

    def shell_ended(self):
        """Whether the shell that bash_kernel runs cells in has ended since this was asked last. The kernel starts another."""
        before, self.shell = self.shell, self.find_shell()
        return before is not None and before != self.shell

    def find_shell(self):
        if not any("bash_kernel" in str(part) for part in self.kernel.spec.argv):
            return None
        kernel = getattr(self.km.provisioner, "pid", None)
        try:
            children = Path(f"/proc/{kernel}/task/{kernel}/children").read_text().split()
            return next(filter(is_a_shell, children), None)
        except OSError:
            return None

    async def end(self):
        """After the last cell: politely, with time for what the notebook registered for its end."""
        if not self.has_begun():
            return
        await self.ask_to_end()
        if not await self.gone_within(self.exit_seconds):
            logging.warning("The kernel was still busy %d s after the last cell and was ended.", self.exit_seconds)
            await self.end_by_signal()
        self.clean_up()

    def has_begun(self):
        return self.km is not None and self.km.has_kernel

    async def ask_to_end(self):
        """On the control channel; a kernel that is made with ipykernel on its shell channel, which it serves as well. The thread
        that answers on the control channel prints once more, while the main thread takes away what it prints to: both wait for
        ever, in one of a hundred ends of ipykernel and in every second one of bash_kernel."""
        if self.kc is not None and self.may_be_made_with_ipykernel():
            self.kc.shell_channel.send(self.kc.session.msg("shutdown_request", {"restart": False}))
            if self.kernel.is_ipykernel or await self.gone_within(min(SHELL_SECONDS, self.exit_seconds)):
                return
        await self.km.request_shutdown()

    def may_be_made_with_ipykernel(self):
        """It does not say so: a program of Python, as bash_kernel and Calysto's kernels are. xeus-python is known not to be."""
        is_python = os.path.basename(self.kernel.spec.argv[0]).startswith("python")
        return self.kernel.is_ipykernel or (is_python and not self.kernel.is_xeus_python)

    async def end_early(self, hears):
        """At the limit. A kernel that hears, and has no handler for SIGTERM, is told to end as after the last cell: SIGTERM would end it
        without what the notebook registered with atexit. Both have the same grace."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + self.grace
        if hears and self.has_begun() and not catches(self.km.provisioner.pid, signal.SIGTERM):
            try:
                await asyncio.wait_for(self.told_to_end(), self.grace)
            except asyncio.TimeoutError:
                pass
        await self.end_by_signal(max(deadline - loop.time(), min(self.grace, LEAST_GRACE)))

    async def told_to_end(self):
        await self.ask_to_end()
        while await self.km.is_alive():
            await asyncio.sleep(END_POLL_SECONDS)

    async def end_by_signal(self, grace=None):
        """SIGTERM, the grace that a notebook's own handlers have, SIGKILL."""
        if not self.has_begun():
            return
        if await self.km.is_alive():
            await self.km.provisioner.send_signal(signal.SIGTERM)
            await self.gone_within(self.grace if grace is None else grace)
        await self.kill()

    async def kill(self):
        if self.has_begun():
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
        if self.folder is not None:
            shutil.rmtree(self.folder, ignore_errors=True)
            self.folder = None


def catches(process, number):
    """Whether a process, or the one that a shell started for it, has a handler of its own for a signal."""
    try:
        if not Path(f"/proc/{process}/comm").read_text().strip() in SHELLS:
            return number in caught(process)
        children = Path(f"/proc/{process}/task/{process}/children").read_text().split()
        return any(number in caught(child) for child in (process, *children))
    except OSError:
        return False


def caught(process):
    """The signals that a process has handlers for."""
    status = Path(f"/proc/{process}/status").read_text()
    mask = int(next(line for line in status.splitlines() if line.startswith("SigCgt:")).split()[1], 16)
    return {number for number in range(1, 65) if mask >> (number - 1) & 1}


def is_a_shell(process):
    """Whether it is a bash that lives: one that ended stays a child of its kernel until that asks for its status."""
    name, _, rest = Path(f"/proc/{process}/stat").read_text().rpartition(")")
    return name.partition("(")[2] == "bash" and rest.split()[0] not in "ZX"


def private_folder(path):
    """A new folder that nobody else can enter: at the path, where the engine removes it after a kill. Where something of
    somebody else's stands there, another one."""
    try:
        os.mkdir(path, 0o700)
    except FileExistsError:
        return tempfile.mkdtemp(prefix="reveille-", dir=ELSEWHERE)
    return path


def kernel_end(code):
    """How the kernel's process ended, in words, and as `killed` (by SIGKILL, as the operating system does for memory), `exited` (with
    status 0) or `other`."""
    if code is None:
        return "the kernel process ended by itself", "other"
    if code >= 0:
        return f"the kernel process exited with status {code}", "other" if code else "exited"
    name = signal.Signals(-code).name if -code in set(signal.Signals) else f"signal {-code}"
    return f"the kernel process was killed by {name}", "killed" if -code == signal.SIGKILL else "other"
