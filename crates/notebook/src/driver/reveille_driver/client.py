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
from reveille_driver.exchange import LAST_WORDS_SECONDS, LOST, UNSENT, Exchange, cancelled, next_message
from reveille_driver.layout import pieces
from reveille_driver.streams import Streams
from reveille_driver.texts import clean, cut, stored_size
from reveille_driver.widgets import Output, brings_state, is_echo, replaced

# Both make outputs by this name. It is this process's own copy of nbclient.
for module in (nbclient.client, nbclient.output_widget):
    module.output_from_msg = outputs.from_message

# Outputs may arrive after the cell's end; beyond this they are given up with a warning, the cell counts.
OUTPUT_LAG_SECONDS = 60
OUTPUTS = ("stream", "display_data", "execute_result", "error")
DISPLAYS = ("display_data", "execute_result", "update_display_data")


class KernelDied(Exception):
    """The kernel's process ended; `began` tells whether the cell had begun."""

    def __init__(self, began):
        super().__init__("the kernel died")
        self.began = began


class Client(Exchange, NotebookClient):
    """What is kept of a kernel's messages. Its state is that of one execution of one notebook."""

    def __init__(self, nb, km, kc, limit, quiet=()):
        super().__init__(nb, km=km)
        self.kc = kc
        self.limit = limit
        # Cells whose outputs stay out of the log: they may quote values.
        self.quiet = frozenset(quiet)
        self.kept = 0
        # Cells that lost outputs and say so.
        self.noted = set()
        self.cells_by_request = {}
        self.streams = {}
        # Cells whose streams have a line that is not complete, or a text that is kept twice.
        self.writing = set()
        # Cells whose outputs go when the next one comes. nbclient knows one for all cells; a thread goes on in an earlier one.
        self.clearing = set()
        self.clear_before_next_output = False
        # The error that each cell showed last, whatever the bounds left of it.
        self.errors = {}
        self.widget_registry = {"@jupyter-widgets/output": {"OutputModel": Output}}
        self.changed = lambda index: None

    # -- cells

    async def run(self, cell, index, asked=None):
        """Executes a cell; its reply's content, None if the kernel sends none (`is_lost` tells whether it sends any other), or
        KernelDied. `asked` are expressions that the reply answers."""
        cell["metadata"]["execution"] = {}
        # Asked just before the cell: without an answer to it, the kernel's end was the doing of the cell before.
        probe = await ensure_async(self.kc.kernel_info())
        request = await ensure_async(
            self.kc.execute(
                cell["source"], store_history=True, stop_on_error=False, user_expressions=asked
            )
        )
        self.cells_by_request[request] = index
        began = asyncio.Event()
        idle = asyncio.ensure_future(self.idle_after(request, began))
        try:
            reply = await self.answered(self.reply_if_any(request, {probe: began}, idle))
            if reply is None:
                await self.hush({idle}, LAST_WORDS_SECONDS)
                # A kernel that was killed says nothing more; the cell that was asked for last is to blame.
                raise KernelDied(began.is_set() or self.end() != 0)
            if reply is LOST:
                self.is_lost = True
                return None
            await asyncio.wait({idle}, timeout=OUTPUT_LAG_SECONDS)
            if not idle.done():
                logging.warning("Outputs of this cell did not end within %d s of its end.", OUTPUT_LAG_SECONDS)
            for widget in self.comm_objects.values():
                widget.tell_kernel()
            if reply is UNSENT:
                return None
            cell["metadata"]["execution"]["shell.execute_reply"] = timestamp(reply)
            return reply["content"]
        finally:
            await cancelled(idle)
            self.close_streams()

    async def idle_after(self, request, began=None):
        """Takes in what the kernel publishes until it has done with the request."""
        while True:
            message = await next_message(self.kc.iopub_channel)
            self.messages += 1
            parent = message["parent_header"].get("msg_id")
            index = self.cells_by_request.get(parent)
            if message["msg_type"] == "status":
                state = message["content"].get("execution_state")
                if index is not None and state in ("busy", "idle"):
                    self.timed(index, f"iopub.status.{state}", message)
                if state == "idle" and parent in self.overs:
                    self.overs[parent].set()
                if parent == request and state == "idle":
                    return
                if parent == request and began is not None:
                    began.set()
            elif index is not None:
                self.take(message, self.nb["cells"][index], index)

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
            if message["msg_type"] in OUTPUTS:
                content = {"name": "stderr", "text": "[an output that the notebook's format does not hold is left out by Reveille]\n"}
                self.keep({**message, "msg_type": "stream", "content": content}, cell, index)
        self.changed(index)

    def keep(self, message, cell, index):
        kind, content = message["msg_type"], message["content"]
        hooked = self.output_hook_stack.get(message["parent_header"].get("msg_id"))
        if kind == "clear_output":
            self.noted.discard(index)
            if hooked:
                self.process_message(message, cell, index)
            elif content.get("wait"):
                self.clearing.add(index)
            else:
                self.clear(cell, index)
            return
        if kind == "comm_msg" and is_echo(content):
            return
        if index in self.clearing and not hooked and kind in OUTPUTS:
            # Before it is counted what would be stored.
            self.clear(cell, index)
        bounded = self.bounded({**message, "content": outputs.repaired(kind, content)}, index)
        if bounded is None:
            return
        if bounded["msg_type"] == "stream" and not hooked:
            self.writing.add(index)
            self.tell_lines(self.streams_of(cell, index).write(cell["outputs"], bounded["content"]), index)
        else:
            output = self.process_message(bounded, cell, index)
            if output is not None:
                self.log_shown(output, index)
        if kind == "error" and not hooked:
            # Whatever the bounds left of it; what is no output has raised by now.
            self.errors[index] = outputs.shortened(content)

    def show(self, cell, index, kind, content):
        """Keeps an output that the kernel did not publish."""
        self.take({"msg_type": kind, "header": {"msg_type": kind}, "parent_header": {}, "content": content}, cell, index)

    def _update_display_id(self, display_id, msg):
        """nbclient changes a display wherever it is shown: also in cells that have ended, and were saved as they were."""
        super()._update_display_id(display_id, msg)
        for index, _ in self.places(msg):
            self.changed(index)

    def places(self, message):
        """Where the display that the message updates is shown: cells, and the places among their outputs."""
        transient = message["content"].get("transient") if message["msg_type"] in DISPLAYS else None
        shown = self._display_id_map.get(transient.get("display_id"), {}) if isinstance(transient, dict) else {}
        return [(index, at) for index, outputs in shown.items() for at in outputs]

    def clear(self, cell, index):
        self.clearing.discard(index)
        self.close_streams(index)
        cell["outputs"][:] = []
        self.clear_display_id_mapping(index)

    def streams_of(self, cell, index):
        if index not in self.streams:
            self.streams[index] = Streams(type(cell))
        return self.streams[index]

    def settle(self):
        """Puts what is kept elsewhere into the notebook: before a save, and before what is stored is counted."""
        for index in self.writing:
            self.streams[index].settle()
        for widget in self.comm_objects.values():
            widget.settle()
        self.set_widgets_metadata()

    def close_streams(self, index=None):
        """Ends the lines of a cell, or of all, in the log; more may come, and joins what is there."""
        for at in list(self.writing) if index is None else self.writing & {index}:
            self.writing.discard(at)
            self.tell_lines(self.streams[at].close(), at)
        for widget in self.comm_objects.values():
            widget.close()

    def tell_lines(self, lines, index):
        if lines:
            self.tell("".join(lines), index)

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
        if kind in ("execute_input", "comm_close") or (kind == "comm_msg" and not brings_state(content)):
            return message
        if index in self.noted:
            return None
        size = stored_size(content) if kind != "stream" else stored_size(content["text"])
        size += sum(len(part) * 4 // 3 for part in message.get("buffers") or [])
        # A display takes its place wherever it is shown.
        places = self.places(message)
        size *= max(len(places) + (kind != "update_display_data"), 1)
        if self.kept + size > self.limit:
            # Outputs may have been cleared, replaced or written over meanwhile: count what is really there.
            self.settle()
            self.kept = self.stored() - sum(stored_size(self.nb["cells"][cell]["outputs"][at]) for cell, at in places)
            if kind == "comm_msg":
                self.kept -= stored_size(replaced(content, self.widget_state))
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
