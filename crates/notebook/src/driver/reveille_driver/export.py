"""output.html of whatever output.ipynb holds; and the mark that a driver which was killed could not set."""

import datetime
import html
import json
import logging
import signal
import sys
import types
from pathlib import Path
from urllib.parse import unquote

from reveille_driver import sanitize, source
from reveille_driver.record import ERROR_MARKER_TAG, Record
from reveille_driver.texts import clean, write_atomically


ATTACHMENT = "attachment:"
# The page loads nothing: it is read from a bucket, months later, where no network is promised. So formulas stay as they
# were written, and what draws itself needs its scripts in the output.
TEMPLATE = """{%- extends 'index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
"""


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
        from nbformat.v4.rwbase import rejoin_lines

        raw = json.loads(output.read_text("utf-8"))
        source.normalise(raw)
        notebook = rejoin_lines(nbformat.from_dict(raw))
        name = Path(spec["notebook"]).stem
        page = exporter(spec["sanitize_html"])
        if spec["sanitize_html"]:
            sanitize.sanitize(notebook)
        body, _ = page.from_notebook_node(notebook, resources={"metadata": {"name": name}})
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


def exporter(sanitizes):
    """nbconvert's own page, whole in itself, without the cells and parts that tags take out."""
    from nbconvert.exporters.html import HTMLExporter
    from traitlets.config import Config

    tags = {"enabled": True}
    for trait, name in (("remove_cell_tags", "cell"), ("remove_input_tags", "input"), ("remove_all_outputs_tags", "output")):
        tags[trait] = {f"remove-{name}", f"remove_{name}"}
    template = TEMPLATE + sanitize.HEAD if sanitizes else TEMPLATE
    page = HTMLExporter(config=Config({"TagRemovePreprocessor": tags}), raw_template=template, sanitize_html=sanitizes)
    if sanitizes:
        page.register_filter("clean_html", sanitize.cleaner())
    # A page of a notebook that some rule does not like is better than none.
    page._validate_preprocessor = lambda *_: None
    find_attachments()
    lend_lexers()
    return page


def lend_lexers():
    """nbconvert asks IPython for its lexers, which are a package of their own by now: without the rest of IPython.

    Where they are not, it loads IPython. Nothing else in this process asks for it, and it is about to end.
    """
    if "IPython" in sys.modules:
        return
    try:
        import ipython_pygments_lexers
    except ImportError:
        return
    for name in ("IPython", "IPython.lib"):
        sys.modules[name] = types.ModuleType(name)
        sys.modules[name].__path__ = []
    sys.modules["IPython.lib.lexers"] = ipython_pygments_lexers


def find_attachments():
    """nbconvert gives up on the whole notebook where it does not find a picture that was pasted into a text cell.

    The name in the text is percent-encoded where it holds a space or is not ASCII; the attachment's own is not.
    """
    from nbconvert.filters import markdown_mistune

    renderer = getattr(markdown_mistune, "IPythonRenderer", None)
    strict = getattr(renderer, "_embed_image_or_attachment", None)
    if strict is None:
        return

    def lenient(self, src):
        if src.startswith(ATTACHMENT):
            name = src[len(ATTACHMENT) :]
            for candidate in (name, unquote(name), html.unescape(unquote(name))):
                if candidate in self.attachments:
                    return strict(self, ATTACHMENT + candidate)
            return src
        return strict(self, src)

    renderer._embed_image_or_attachment = lenient
