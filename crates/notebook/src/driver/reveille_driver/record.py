"""The output notebook as it grows: papermill's metadata, the failed cell's marks, and when it is saved.

Saving costs what the notebook is large. So it happens when something changed and SAVE_SECONDS went by, and as much
again as SAVE_SHARE saves take; always at the end, and at once when the run is told to end. A cell's text is made
anew only when the cell changed, or when it is too large to be kept beside the cell.
"""

import datetime
import time

from reveille_driver import layout
from reveille_driver.source import ERROR_MARKER_TAG
from reveille_driver.texts import write_atomically

SAVE_SECONDS = 1.0
SAVE_SHARE = 20
# Of a cell whose outputs are larger no text is kept: it is as large as they are.
KEPT_TEXT = 1 << 18
# Papermill's marks of a failed cell; it drops those of an earlier run by this tag, and so do we.
ERROR_STYLE = 'style="color:red; font-family:Helvetica Neue, Helvetica, Arial, sans-serif; font-size:2em;"'
ERROR_MESSAGE = (
    f"<span {ERROR_STYLE}>An Exception was encountered at '<a href=\"#papermill-error-cell\">In [%s]</a>'.</span>"
)
ERROR_ANCHOR = (
    f'<span id="papermill-error-cell" {ERROR_STYLE}>'
    "Execution using papermill encountered an exception here and stopped:</span>"
)


# The line break before a cell's fields.
CELL_PAD = "\n  "


def now():
    return datetime.datetime.now(datetime.timezone.utc)


class Record:
    """The notebook that is executed, and its file."""

    def __init__(self, nb, path, before_save=lambda: None):
        self.nb = nb
        self.path = path
        self.before_save = before_save
        self.texts = [None] * len(nb["cells"])
        self.dirty = True
        self.due = 0.0
        self.started = now()

    def start(self, about):
        old = self.nb["metadata"].get("papermill") or {}
        self.nb["metadata"]["papermill"] = {
            "default_parameters": {},
            "environment_variables": {},
            **old,
            **about,
            "start_time": self.started.isoformat(),
            "end_time": None,
            "duration": None,
            "exception": None,
        }
        for cell in self.nb["cells"]:
            cell["metadata"]["papermill"] = {
                "exception": None,
                "start_time": None,
                "end_time": None,
                "duration": None,
                "status": "pending",
            }
            if cell["cell_type"] == "code":
                cell["execution_count"], cell["outputs"] = None, []
        self.save()

    def cell_start(self, index):
        papermill = self.nb["cells"][index]["metadata"]["papermill"]
        papermill.update(start_time=now().isoformat(), status="running", exception=False)
        self.touch(index)

    def cell_failed(self, index):
        papermill = self.nb["cells"][index]["metadata"]["papermill"]
        papermill.update(status="failed", exception=True)
        self.nb["metadata"]["papermill"]["exception"] = True
        self.touch(index)

    def cell_end(self, index):
        papermill = self.nb["cells"][index]["metadata"]["papermill"]
        ended = now()
        papermill["end_time"] = ended.isoformat()
        if papermill["start_time"]:
            started = datetime.datetime.fromisoformat(papermill["start_time"])
            papermill["duration"] = (ended - started).total_seconds()
        if papermill["status"] != "failed":
            papermill["status"] = "completed"
        self.touch(index)

    def finish(self, failed=None):
        """The end: marks before the failed cell, if one failed, and the last save."""
        about = self.nb["metadata"]["papermill"]
        about["end_time"] = now().isoformat()
        about["duration"] = (now() - self.started).total_seconds()
        if failed is not None:
            mark_failed(self.nb, failed)
            self.texts = [None] * len(self.nb["cells"])
        self.save()

    def touch(self, index):
        self.texts[index] = None
        self.dirty = True

    def save_if_due(self):
        if self.dirty and time.monotonic() >= self.due:
            self.save()

    def save(self):
        began = time.monotonic()
        self.before_save()
        write_atomically(self.path, self.parts())
        ended = time.monotonic()
        self.dirty = False
        self.due = ended + max(SAVE_SECONDS, SAVE_SHARE * (ended - began))

    def parts(self):
        """The file in pieces, as nbformat lays it out."""
        lead = '{\n "cells": ['
        for index, cell in enumerate(self.nb["cells"]):
            yield lead + CELL_PAD
            lead = ","
            text = self.texts[index]
            if text is not None:
                yield text
            elif is_large(cell):
                yield from layout.parts(stored(cell), CELL_PAD)
            else:
                text = self.texts[index] = "".join(layout.parts(stored(cell), CELL_PAD))
                yield text
        rest = "".join(layout.parts({key: value for key, value in self.nb.items() if key != "cells"}))
        yield "\n ],\n" + rest.removeprefix("{\n") + "\n"


def mark_failed(nb, index):
    """Papermill's two markers: at the top, and before the cell."""
    cell = nb["cells"][index]
    taken = {cell["id"] for cell in nb["cells"]}
    for at, text in [(index, ERROR_ANCHOR), (0, ERROR_MESSAGE % cell.get("execution_count"))]:
        name = f"error-marker-{at}"
        while name in taken:
            name += "-"
        taken.add(name)
        nb["cells"].insert(
            at, {"cell_type": "markdown", "id": name, "metadata": {"tags": [ERROR_MARKER_TAG]}, "source": text}
        )


def drop_markers(cells):
    return [cell for cell in cells if ERROR_MARKER_TAG not in cell["metadata"]["tags"]]


def is_large(cell):
    """Whether the cell's outputs hold more text than is worth keeping twice."""
    size = 0
    for output in cell.get("outputs", ()):
        for value in (output.get("text"), *(output.get("data") or {}).values()):
            size += len(value) if isinstance(value, str) else 0
            if size > KEPT_TEXT:
                return True
    return False


def stored(cell):
    """The cell with its texts as lists of lines, as the format stores them."""
    cell = {**cell, "source": lines(cell["source"])}
    if "outputs" in cell:
        cell["outputs"] = [split(output) for output in cell["outputs"]]
    return cell


def split(output):
    if output["output_type"] == "stream":
        return {**output, "text": lines(output["text"])}
    if "data" in output:
        return {**output, "data": {kind: mime(kind, value) for kind, value in output["data"].items()}}
    return output


def mime(kind, value):
    json_like = kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))
    return value if json_like else lines(value)


def lines(text):
    return layout.Lines(text) if isinstance(text, str) else text
