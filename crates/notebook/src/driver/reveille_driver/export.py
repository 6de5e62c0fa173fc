"""output.html of whatever output.ipynb holds; and the mark that a driver which was killed could not set."""

import datetime
import html
import json
import logging
import os
import re
import signal
import sys
import types
from urllib.parse import unquote

from reveille_driver import sanitize, shown, source
from reveille_driver.layout import pieces
from reveille_driver.record import Record
from reveille_driver.spared import package_alone
from reveille_driver.texts import clean, write_atomically

ATTACHMENT = "attachment:"
ESCAPE = "\x1b"
# After the codes that reset every colour.
RESET = re.compile(r"(?<=\x1b\[0m)|(?<=\x1b\[m)")
# Code as pygments colours it, in a box, and its pieces: plain text, or text in one colour. No character that cleaning takes out.
COLOURED = re.compile(r'<div class="[\w -]*"><pre><span></span>(.*)\n?</pre></div>\n?', re.DOTALL)
TEXT = r"(?:[^<>&\x00-\x08\x0b-\x1f\x7f-\x9f]|&(?:amp|lt|gt|quot|\#39);)"
PIECE = re.compile(rf'{TEXT}+|<span class="[\w -]+">{TEXT}*</span>')
# The page loads nothing: it is read from a bucket, months later, where no network is promised. So formulas stay as they
# were written, and what draws itself needs its scripts in the output.
TEMPLATE = """{%- extends 'index.html.j2' -%}
{%- block html_head_js -%}{%- endblock -%}
{%- block jupyter_widgets -%}{%- endblock -%}
{%- block html_head_js_mathjax -%}{%- endblock -%}
{%- block html_head_js_mermaidjs -%}{%- endblock -%}
"""


# In the place of an output that nbconvert cannot show; output.ipynb has it.
UNSHOWN = {"output_type": "stream", "name": "stderr", "text": "[this output cannot be shown on the page]\n"}


class TooSlow(Exception):
    """The export's time is over."""


def export_html(spec, output_dir, notebook=None, page=None):
    """Makes the page of the notebook, or of what output.ipynb holds; returns why there is none. Changes no other file."""
    output = output_dir / "output.ipynb"
    if notebook is None and not output.exists():
        return "there is no output notebook to export"
    signal.signal(signal.SIGALRM, too_slow)
    signal.alarm(spec["export_seconds"])
    try:
        if notebook is None:
            notebook = json.loads(output.read_text("utf-8"))
        page = page or Page(spec["sanitize_html"])
        write_atomically(str(output_dir / "output.html"), page.of(notebook, clean(spec["title"])))
        return None
    except TooSlow:
        return f"it took longer than {spec['export_seconds']} s"
    except Exception as error:
        return clean(f"{type(error).__name__}: {error}")
    finally:
        signal.alarm(0)


class Page:
    """One page. What cells printed, and the styles, stay out of it until it is written, piece by piece: the exporter makes
    several copies of all that it is given, and its parser of HTML more."""

    def __init__(self, sanitizes):
        self.sanitizes = sanitizes
        self.exporter = exporter(sanitizes)
        # In place of nbconvert's filter of that name: all that is printed passes it, last of all filters.
        self.exporter.register_filter("ansi2html", lambda text: self.hold(printed(text)))
        resources_of = self.exporter._init_resources
        self.exporter._init_resources = lambda resources: self.without_styles(resources_of(resources))
        # No text that a notebook knows.
        self.mark = f"reveille-{os.urandom(16).hex()}-"
        self.held = []

    def hold(self, parts):
        """What stands for the parts until the page is written."""
        self.held.append(parts)
        return f"{self.mark}{len(self.held) - 1}-"

    def without_styles(self, resources):
        whole = resources["include_css"]

        def style(name):
            tag, end, rest = str(whole(name)).partition(">")
            return tag + end + self.hold([rest.removesuffix("</style>")]) + "</style>"

        resources["include_css"] = style
        return resources

    def body(self, notebook, name):
        return self.exporter.from_notebook_node(notebook, resources={"metadata": {"name": name}})[0]

    def without_what_fails(self, notebook):
        """One cell, or one of its outputs, must not cost the others their page."""
        if not self.shows(notebook, []):
            notebook.metadata = type(notebook)()
        notebook.cells = self.shown_of(notebook, notebook.cells)
        return notebook

    def shown_of(self, notebook, cells):
        """By halves: each look renders what it looks at."""
        if not cells or self.shows(notebook, cells):
            return cells
        if len(cells) == 1:
            return [self.shown(notebook, cells[0])]
        half = len(cells) // 2
        return self.shown_of(notebook, cells[:half]) + self.shown_of(notebook, cells[half:])

    def shows(self, notebook, cells):
        held = len(self.held)
        try:
            self.body(type(notebook)({**notebook, "cells": cells}), "a")
        except TooSlow:
            raise
        except Exception:
            return False
        finally:
            # Nothing of a trial is written.
            del self.held[held:]
        return True

    def shown(self, notebook, cell):
        """A cell that cannot be shown as it is."""
        node = type(notebook)
        plain = node({**cell, "metadata": node(), "outputs": []})
        if cell["cell_type"] != "code" or not self.shows(notebook, [plain]):
            return node(cell_type="raw", id=cell["id"], metadata=node(), source=cell["source"])
        plain.outputs = [
            output if self.shows(notebook, [node({**plain, "outputs": [output]})]) else node(UNSHOWN)
            for output in cell["outputs"]
        ]
        return plain

    def of(self, notebook, name):
        """The page in pieces."""
        import nbformat
        from nbformat.v4.rwbase import rejoin_lines

        source.normalise(notebook)
        notebook = rejoin_lines(nbformat.from_dict(shown.prepare(notebook)))
        # nbconvert prefers a widget to its text where the notebook has the widget's state. No script here draws one, so nothing would show.
        notebook.metadata.pop("widgets", None)
        if self.sanitizes:
            sanitize.sanitize(notebook)
        try:
            body = self.body(notebook, name)
        except TooSlow:
            raise
        except Exception as error:
            logging.warning("a part of the page cannot be made (%s) and is left out", type(error).__name__)
            self.held.clear()
            body = self.body(self.without_what_fails(notebook), name)
        for number, part in enumerate(re.split(f"{self.mark}([0-9]+)-", body)):
            if number % 2:
                yield from self.held[int(part)]
            else:
                yield part


def printed(text):
    """What was printed, as HTML: nbconvert's own, in pieces.

    Its filter copies the rest of the text at each colour, so that a long text with many has no end. After a reset
    nothing is left of the colours before it: there the text can be cut.
    """
    from nbconvert.filters.ansi import ansi2html

    for piece in RESET.split(text) if ESCAPE in text else [text]:
        if ESCAPE in piece:
            # As the exporter's parser of HTML leaves quotes.
            yield ansi2html(piece).replace("&#34;", '"').replace("&#39;", "'")
            continue
        for part in pieces(piece):
            yield part.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")


def prepared(sanitizes):
    """A page that has shown one part of each kind, so that the next one is made in a tenth of the time."""
    page = Page(sanitizes)
    printed = [{"output_type": "stream", "name": "stdout", "text": "a"}]
    cells = [
        {"cell_type": "markdown", "source": "# a", "metadata": {}},
        {"cell_type": "code", "source": "a = 1", "metadata": {}, "outputs": printed},
    ]
    for _ in page.of({"cells": cells, "metadata": {}}, "a"):
        pass
    page.held.clear()
    return page


def mark_unfinished(output_dir, reason):
    """Marks the cell that ran when the driver was killed as it would have marked it itself."""
    try:
        nb = json.loads((output_dir / "output.ipynb").read_text("utf-8"))
        source.normalise(nb)
    except (OSError, ValueError, LookupError, TypeError) as error:
        logging.warning("the cell that ran last is not marked: %s", type(error).__name__)
        return
    if any(source.ERROR_MARKER_TAG in cell["metadata"]["tags"] for cell in nb["cells"]):
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
    # Without the exporters to every other format.
    package_alone("nbconvert")
    package_alone("nbconvert.exporters")
    from nbconvert.exporters.html import HTMLExporter
    from traitlets.config import Config

    tags = {"enabled": True}
    for trait, name in (("remove_cell_tags", "cell"), ("remove_input_tags", "input"), ("remove_all_outputs_tags", "output")):
        tags[trait] = {f"remove-{name}", f"remove_{name}"}
    template = TEMPLATE + sanitize.HEAD if sanitizes else TEMPLATE
    page = HTMLExporter(config=Config({"TagRemovePreprocessor": tags}), raw_template=template, sanitize_html=sanitizes)
    if sanitizes:
        page.register_filter("clean_html", sanitize.cleaner())
    else:
        clean_html = page.environment.filters["clean_html"]
        page.register_filter("clean_html", lambda text: text if is_coloured_code(text) else clean_html(text))
    # A page of a notebook that some rule does not like is better than none.
    page._validate_preprocessor = lambda *_: None
    find_attachments()
    lend_lexers()
    return page


def is_coloured_code(text):
    """Whether this is what pygments makes of code, whole, in which there is nothing to clean."""
    found = COLOURED.fullmatch(text) if isinstance(text, str) else None
    return found is not None and not PIECE.sub("", found[1])


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
