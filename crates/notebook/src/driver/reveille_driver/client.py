"""One kernel, spoken to cell by cell: its outputs as Jupyter keeps them, bounded by what is stored.

nbclient keeps the outputs (displays that are updated, cleared, shown by widgets); what it does not do is here: a
cell's end is what the kernel's reply says of it, streams are joined, every message is bounded, and nothing is
raised into a task that could swallow it.
"""

import asyncio
import logging

import nbclient.client
import nbclient.output_widget
from nbclient import NotebookClient
from nbclient.client import timestamp
from nbclient.util import ensure_async

from reveille_driver import outputs
from reveille_driver.layout import pieces
from reveille_driver.streams import Screen
from reveille_driver.texts import clean, stored_size

# Both make outputs by this name. It is this process's own copy of nbclient.
for module in (nbclient.client, nbclient.output_widget):
    module.output_from_msg = outputs.from_message

# Outputs may arrive after the cell's end; beyond this they are given up with a warning, the cell counts.
OUTPUT_LAG_SECONDS = 60
OUTPUTS = ("stream", "display_data", "execute_result", "error")
# What a dead kernel has still sent is there at once, if it is: after a pause of this length nothing more comes.
LAST_WORDS_SECONDS = 0.5
DEATH_POLL_SECONDS = 0.2
# A kernel that is asked once may have missed it: it is asked again. Each time it has half as long again to answer, for
# one that needs longer than this for every answer.
READY_SECONDS = 1
READY_GROWTH = 1.5


class KernelDied(Exception):
    """The kernel's process ended; `began` tells whether the cell had begun."""

    def __init__(self, began):
        super().__init__("the kernel died")
        self.began = began


class NotReady(Exception):
    """The kernel was started and does not answer, or is gone."""


class Client(NotebookClient):
    """What is kept of a kernel's messages. Its state is that of one execution of one notebook."""

    def __init__(self, nb, km, kc, limit, quiet=()):
        super().__init__(nb, km=km)
        self.kc = kc
        self.limit = limit
        # Cells whose outputs stay out of the log: they may quote values.
        self.quiet = frozenset(quiet)
        self.kept = 0
        self.messages = 0
        # Cells that lost outputs and say so.
        self.noted = set()
        self.cells_by_request = {}
        self.screens = {}
        self.changed = lambda index: None

    # -- requests

    async def ready(self, seconds):
        """Waits until the kernel answers and its outputs arrive."""
        deadline = asyncio.get_running_loop().time() + seconds
        patience = READY_SECONDS
        while asyncio.get_running_loop().time() < deadline:
            request = await ensure_async(self.kc.kernel_info())
            heard = asyncio.gather(self.reply_to(request), self.idle_after(request))
            died = asyncio.ensure_future(self.death())
            done, _ = await asyncio.wait({heard, died}, timeout=patience, return_when=asyncio.FIRST_COMPLETED)
            await cancelled(heard, died)
            patience *= READY_GROWTH
            if heard in done:
                return
            if died in done:
                raise NotReady("it ended before it answered")
        raise NotReady(f"it did not answer within {seconds} s")

    async def language_info(self):
        """Asks once more: the answer goes into the notebook, and shows that the kernel outlived the last cell."""
        request = await ensure_async(self.kc.kernel_info())
        reply = await self.answered(self.reply_to(request))
        return None if reply is None else reply["content"].get("language_info")

    async def turn_loop(self):
        """ipykernel notes a signal that comes in an `await`, and looks at it when its loop turns next. A message turns it."""
        await ensure_async(self.kc.kernel_info())

    async def run(self, cell, index, allow_errors, asked=None):
        """Executes a cell; its reply's content, or KernelDied. `asked` are expressions that the reply answers."""
        self.clear_before_next_output = False
        cell["metadata"]["execution"] = {}
        # Asked just before the cell: without an answer to it, the kernel's end was the doing of the cell before.
        probe = await ensure_async(self.kc.kernel_info())
        request = await ensure_async(
            self.kc.execute(
                cell["source"], store_history=True, stop_on_error=not allow_errors, user_expressions=asked
            )
        )
        self.cells_by_request[request] = index
        began = asyncio.Event()
        idle = asyncio.ensure_future(self.idle_after(request, began))
        try:
            reply = await self.answered(self.reply_to(request, probe, began))
            if reply is None:
                await self.quiet_after_death(idle)
                # A kernel that was killed says nothing more; the cell that was asked for last is to blame.
                raise KernelDied(began.is_set() or self.end() != 0)
            await asyncio.wait({idle}, timeout=OUTPUT_LAG_SECONDS)
            if not idle.done():
                logging.warning("Outputs of this cell did not end within %d s of its end.", OUTPUT_LAG_SECONDS)
            cell["metadata"]["execution"]["shell.execute_reply"] = timestamp(reply)
            return reply["content"]
        finally:
            await cancelled(idle)
            self.close_screens(index)

    async def answered(self, waiting):
        """What `waiting` comes to, or None when the kernel died instead."""
        answer, died = asyncio.ensure_future(waiting), asyncio.ensure_future(self.death())
        try:
            await asyncio.wait({answer, died}, return_when=asyncio.FIRST_COMPLETED)
            if not answer.done():
                await asyncio.wait({answer}, timeout=LAST_WORDS_SECONDS)
            return answer.result() if answer.done() else None
        finally:
            await cancelled(answer, died)

    async def reply_to(self, request, probe=None, heard=None):
        while True:
            reply = await self.kc.shell_channel.get_msg(timeout=None)
            parent = reply["parent_header"].get("msg_id")
            if parent == request:
                return reply
            if parent == probe and heard is not None:
                heard.set()

    async def quiet_after_death(self, idle):
        """Takes in what a dead kernel has sent: until nothing more came for a moment."""
        before = None
        while before != self.messages and not idle.done():
            before = self.messages
            await asyncio.wait({idle}, timeout=LAST_WORDS_SECONDS)

    async def idle_after(self, request, began=None):
        """Takes in what the kernel publishes until it has done with the request."""
        while True:
            message = await self.kc.iopub_channel.get_msg(timeout=None)
            self.messages += 1
            parent = message["parent_header"].get("msg_id")
            index = self.cells_by_request.get(parent)
            if message["msg_type"] == "status":
                state = message["content"].get("execution_state")
                if index is not None and state in ("busy", "idle"):
                    self.timed(index, f"iopub.status.{state}", message)
                if parent == request and state == "idle":
                    return
                if parent == request and began is not None:
                    began.set()
            elif index is not None:
                self.take(message, self.nb["cells"][index], index)

    async def death(self):
        while await self.km.is_alive():
            await asyncio.sleep(DEATH_POLL_SECONDS)

    def end(self):
        process = getattr(self.km.provisioner, "process", None)
        return getattr(process, "returncode", None)

    def timed(self, index, event, message):
        """nbclient's record of when what happened, which JupyterLab shows."""
        self.nb["cells"][index]["metadata"].setdefault("execution", {})[event] = timestamp(message)
        self.changed(index)

    # -- messages

    def take(self, message, cell, index):
        """Keeps a message in the cell that it belongs to. No message of a kernel ends the run."""
        try:
            self.keep(message, cell, index)
        except Exception as error:
            logging.warning("a message of the kernel is left out: %s", type(error).__name__)
        self.changed(index)

    def keep(self, message, cell, index):
        kind = message["msg_type"]
        if kind == "clear_output":
            self.close_screens(index)
            self.noted.discard(index)
            self.process_message(message, cell, index)
            return
        hooked = self.output_hook_stack[message["parent_header"].get("msg_id")]
        if self.clear_before_next_output and not hooked and kind in OUTPUTS:
            # Before it is counted what would be stored.
            cell["outputs"][:] = []
            self.clear_display_id_mapping(index)
            self.clear_before_next_output = False
        bounded = self.bounded(message, index)
        if bounded is None:
            return
        if bounded["msg_type"] == "stream" and not hooked:
            self.write(bounded["content"], cell, index)
            return
        output = self.process_message(bounded, cell, index)
        if output is not None:
            self.log_shown(output, index)

    def write(self, content, cell, index):
        name, outputs = content["name"], cell["outputs"]
        output, screen = self.screens.get(index, (None, None))
        if not outputs or outputs[-1] is not output or output["name"] != name:
            self.close_screens(index)
            screen = Screen()
            output = {"output_type": "stream", "name": name, "text": ""}
            # As the notebook's own kind of dictionary, so that nbclient finds its attributes.
            outputs.append(type(cell)(output))
            output = outputs[-1]
            self.screens[index] = (output, screen)
        lines = screen.feed(content["text"])
        if lines:
            self.tell("".join(lines), index)

    def settle(self):
        """Puts what screens show into their outputs: before a save, and before what is stored is counted."""
        for output, screen in self.screens.values():
            output["text"] = screen.text()

    def close_screens(self, index):
        entry = self.screens.pop(index, None)
        if entry is not None:
            output, screen = entry
            output["text"] = screen.text()
            if screen.line:
                self.tell(screen.line, index)

    def log_shown(self, output, index):
        text = output.get("data", {}).get("text/plain")
        if text is not None:
            self.tell(text if isinstance(text, str) else "".join(text), index)

    def tell(self, text, index):
        if index not in self.quiet:
            for piece in pieces(text):
                logging.info("%s", piece)

    # -- bounds

    def bounded(self, message, index):
        """The message, or what may be kept of it; None for nothing."""
        content = message["content"]
        kind = message["msg_type"]
        if kind in ("execute_input", "comm_close"):
            return message
        if index in self.noted:
            return None
        size = stored_size(content) if kind != "stream" else stored_size(content["text"])
        size += sum(len(part) * 4 // 3 for part in message.get("buffers") or [])
        if self.kept + size > self.limit:
            # Outputs may have been cleared, replaced or written over meanwhile: count what is really there.
            self.settle()
            self.kept = self.stored()
        if self.kept + size <= self.limit:
            self.kept += size
            return message
        self.noted.add(index)
        room = max(self.limit - self.kept, 0)
        text = f"[output beyond {self.limit} bytes of the run is left out by Reveille]\n"
        name = "stderr"
        if kind == "stream":
            name = content["name"]
            text = cut(content["text"], room) + "\n" + text
        elif kind == "error":
            # Its name and the end of its text are what the failure is known by.
            text = f"{clean(content.get('ename'), 200)}: {clean(content.get('evalue'))}\n{text}"
        self.kept += stored_size(text)
        return {**message, "msg_type": "stream", "content": {"name": name, "text": text}}

    def stored(self):
        outputs = sum(stored_size(output) for cell in self.nb["cells"] for output in cell.get("outputs", ()))
        return outputs + stored_size(self.widget_state) + stored_size(self.widget_buffers)


def cut(text, room):
    """As much of the text's beginning as fits; a fixed factor bounds what a character can take."""
    if stored_size(text) <= room:
        return text
    low, high = 0, min(len(text), room)
    while low < high:
        middle = (low + high + 1) // 2
        if stored_size(text[:middle]) <= room:
            low = middle
        else:
            high = middle - 1
    return text[:low]


async def cancelled(*tasks):
    """Cancels and waits until it took effect, so that no message is taken twice or lost to a dead task."""
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)

