"""output.html of whatever output.ipynb holds; and the mark that a driver which was killed could not set."""

import datetime
import json
import logging
import signal
from pathlib import Path
from urllib.parse import quote, unquote

from reveille_driver import source
from reveille_driver.record import ERROR_MARKER_TAG, Record
from reveille_driver.texts import clean, write_atomically


class TooSlow(Exception):
    """The export's time is over."""


def export_html(spec, output_dir):
    """Makes the page; returns why there is none. Changes nothing else."""
    output = output_dir / "output.ipynb"
    if not output.exists():
        return "there is no output notebook to export"
    signal.signal(signal.SIGALRM, too_slow)
    signal.alarm(spec["export_seconds"])
    try:
        import nbformat

        raw = json.loads(output.read_text("utf-8"))
        source.normalise(raw)
        for cell in raw["cells"]:
            repair_attachments(cell)
        notebook = nbformat.from_dict(raw)
        name = Path(spec["notebook"]).stem
        body, _ = exporter().from_notebook_node(notebook, resources={"metadata": {"name": name}})
        write_atomically(str(output_dir / "output.html"), body)
        return None
    except TooSlow:
        return f"it took longer than {spec['export_seconds']} s"
    except Exception as error:
        return clean(f"{type(error).__name__}: {error}")
    finally:
        signal.alarm(0)


def mark_unfinished(output_dir, reason):
    """Marks the cell that ran when the driver was killed as it would have marked it itself."""
    try:
        nb = json.loads((output_dir / "output.ipynb").read_text("utf-8"))
        source.normalise(nb)
    except (OSError, ValueError, LookupError, TypeError) as error:
        logging.warning("the cell that ran last is not marked: %s", type(error).__name__)
        return
    if any(ERROR_MARKER_TAG in cell["metadata"]["tags"] for cell in nb["cells"]):
        return  # it got as far as marking it itself
    index = last_begun(output_dir, nb["cells"])
    if index is None or nb["cells"][index]["metadata"].get("papermill", {}).get("status") in (None, "completed"):
        return
    record = Record(nb, str(output_dir / "output.ipynb"))
    started = nb["metadata"].get("papermill", {}).get("start_time")
    if isinstance(started, str):
        record.started = datetime.datetime.fromisoformat(started)
    record.cell_failed(index)
    record.cell_end(index)
    if nb["cells"][index]["cell_type"] == "code":
        nb["cells"][index]["outputs"].append(
            {
                "output_type": "error",
                "ename": "Interrupted",
                "evalue": reason,
                "traceback": [f"Interrupted: {reason}"],
            }
        )
    record.finish(index)


def last_begun(output_dir, cells):
    """The cell that ran: told as it began, where the notebook may have been saved a moment before."""
    try:
        index = json.loads((output_dir / "progress.json").read_text("utf-8"))["index"]
    except (OSError, ValueError, LookupError, TypeError):
        return None
    return index if isinstance(index, int) and 0 <= index < len(cells) else None


def too_slow(*_):
    raise TooSlow


def exporter():
    from nbconvert.exporters.html import HTMLExporter

    return HTMLExporter()


def repair_attachments(cell):
    return cell
