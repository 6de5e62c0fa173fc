"""What ipywidgets' Output widget holds, kept as a person's Jupyter keeps it: what is printed into it is nowhere else.

nbclient's own tells the kernel of all that the widget holds with each line, and joins lines as they come.
"""

from nbclient.output_widget import OutputWidget
from nbformat import NotebookNode

from reveille_driver.outputs import from_message
from reveille_driver.streams import Streams


class Output(OutputWidget):
    def __init__(self, comm_id, state, kernel_client, executor):
        state.setdefault("outputs", [])
        super().__init__(comm_id, state, kernel_client, executor)
        self.hold(self.outputs)
        # The request that is captured; nbclient asks for it before the kernel has named one.
        self.msg_id = ""
        self.parent_header = {}
        self.is_new = False

    def hold(self, outputs):
        self.outputs = list(outputs)
        self.streams = Streams(NotebookNode)
        self.index = None
        self.executor.widget_state[self.comm_id]["outputs"] = self.outputs

    def clear_output(self, outs, msg, cell_index):
        self.parent_header = msg["parent_header"]
        if msg["content"].get("wait"):
            self.clear_before_next_output = True
        else:
            self.empty()

    def empty(self):
        self.close()
        self.clear_before_next_output = False
        self.is_new = True
        self.hold([])

    def output(self, outs, msg, display_id, cell_index):
        if self.clear_before_next_output:
            self.empty()
        self.parent_header = msg["parent_header"]
        self.is_new = True
        self.index = cell_index
        if msg["msg_type"] == "stream":
            self.executor.tell_lines(self.streams.write(self.outputs, msg["content"]), cell_index)
            return
        output = from_message(msg)
        self.close()
        self.outputs.append(output)
        self.executor.log_shown(output, cell_index)

    def set_state(self, state):
        if "outputs" in state:
            # Set by the notebook itself: `append_stdout`, `outputs = ()`.
            self.close()
            self.hold(state["outputs"])
            self.is_new = False
        super().set_state(state)

    def settle(self):
        self.streams.settle()

    def close(self):
        """Ends the line in the log; more may come, and joins it."""
        self.executor.tell_lines(self.streams.close(), self.index)

    def tell_kernel(self):
        """What the widget holds, for later cells to read. The kernel does not hear of it before the cell has ended anyway."""
        if self.is_new:
            self.is_new = False
            self.settle()
            self.sync_state()


def is_echo(content):
    """Whether ipywidgets only says again what it was told by this process. By then it may be old."""
    data = content.get("data")
    return isinstance(data, dict) and data.get("method") == "echo_update"


def brings_state(content):
    """Whether a message changes what is stored of a widget; others are for the front end alone."""
    return isinstance(content.get("data"), dict) and "state" in content["data"]


def replaced(content, states):
    """The values that a message's take the place of."""
    old = states.get(content.get("comm_id")) or {}
    new = content["data"]["state"]
    return {name: old[name] for name in new if name in old} if isinstance(new, dict) else {}
