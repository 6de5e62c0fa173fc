"""The source notebook: read, checked, and brought into the form that Jupyter's libraries insist on.

Jupyter opens nearly everything and its libraries validate: what a person sees working must not fail here, so what
can be read in one way only is repaired. The source file itself is never written.
"""

import json
import logging
import re

from reveille_driver.spared import real
from reveille_driver.texts import clean, is_nested_deeper

# An escaped surrogate: nearly always half of a pair that is whole, which only encoding it tells.
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
# Papermill's, of the cells by which it marks a failed one.
ERROR_MARKER_TAG = "papermill-error-cell-tag"
# What an output may hold as something else than text.
JSON = re.compile(r"application/(.*\+)?json")
CELL_TYPES = ("code", "markdown", "raw")
# No tool nests as deep; some way beyond, Python's own recursion ends.
MOST_LEVELS = 200
# The first version of the format whose cells have ids; everything is brought to it, as papermill does.
MINOR = 5
# Of a cell's and a notebook's metadata: what the format gives a type. The rest is the tools' own.
CELL_METADATA = {
    "collapsed": bool,
    "deletable": bool,
    "execution": dict,
    "format": str,
    "jupyter": dict,
    "name": str,
    "papermill": dict,
    "raw_mimetype": str,
}
NOTEBOOK_METADATA = {"authors": list, "kernelspec": dict, "language_info": dict, "papermill": dict, "title": str, "widgets": dict}

LANGUAGE_INFO = {
    "name": str,
    "version": str,
    "mimetype": str,
    "file_extension": str,
    "pygments_lexer": str,
    "nbconvert_exporter": str,
    "codemirror_mode": (str, dict),
}
# What stands in a notebook's place now and then, told by name: nobody looks for a comma then. Some editors begin a file with a mark.
NO_NOTEBOOK = {
    re.compile(rb"\A(?:\xef\xbb\xbf)?\s*\Z"): "it is empty: it was not saved, or its upload was cut off; save it again",
    re.compile(rb"\Aversion https://git-lfs\."): "it is a pointer of Git LFS and not the notebook itself; fetch it with `git lfs pull`",
    re.compile(rb"^<<<<<<< ", re.MULTILINE): "it holds the marks of a merge in Git that was not finished (`<<<<<<<`); resolve it and save it again",
    re.compile(rb"\A(?:\xef\xbb\xbf)?\s*<(?:!doctype|html|\?xml)", re.IGNORECASE): "it is a web page and not a notebook: what was saved may be an error or a log-in page",
}


class Unreadable(Exception):
    """The file is not a notebook that can be executed."""


def read(path, limit):
    """The notebook, normalised, or Unreadable with the reason a person understands."""
    with open(path, "rb") as file:
        raw = file.read(limit + 1)
    if len(raw) > limit:
        raise Unreadable(f"it is larger than {limit} bytes; clear its outputs and save it again")
    try:
        text = raw.decode("utf-8-sig")
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(no_notebook(raw) or said(error)) from None
    notebook = upgraded(notebook, text)
    check(notebook)
    # What an earlier run left is made anew, whatever is in it.
    for cell in notebook["cells"]:
        cell.pop("outputs", None)
    if is_nested_deeper(notebook, MOST_LEVELS):
        raise Unreadable(f"lists and objects are nested in it more than {MOST_LEVELS} levels deep")
    try:
        if SURROGATE.search(text):
            json.dumps(notebook, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise Unreadable(f"it holds text that is not Unicode (half of a surrogate pair): {error}") from None
    for number, cell in enumerate(notebook["cells"], 1):
        if cell["cell_type"] not in (*CELL_TYPES, "heading"):
            logging.warning("Cell %d is kept as text and not executed: its type is %a.", number, clean(cell["cell_type"], 50))
    normalise(notebook)
    return notebook


def no_notebook(raw):
    """What stands in the notebook's place, where that is known."""
    return next((what for sign, what in NO_NOTEBOOK.items() if sign.search(raw)), None)


def said(error):
    return f"it is not {'UTF-8 text' if isinstance(error, UnicodeDecodeError) else 'JSON'}: {error}"


def upgraded(notebook, text):
    """A notebook of an older format as Jupyter opens it: in format 4."""
    version = notebook.get("nbformat") if isinstance(notebook, dict) else None
    if type(version) is not int or not 1 <= version <= 3:
        return notebook
    # Reading one validates.
    real("jsonschema")
    import nbformat

    try:
        return nbformat.convert(nbformat.reader.reads(text), 4)
    except Exception as error:
        raise Unreadable(
            f"it is in notebook format {version} and cannot be brought to format 4 ({type(error).__name__}); "
            "open it in Jupyter and save it"
        ) from None


def check(notebook):
    version = notebook.get("nbformat") if isinstance(notebook, dict) else None
    if version != 4:
        raise Unreadable(f"it is not in notebook format 4 (nbformat is {version!r}); open it in Jupyter and save it")
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(
        isinstance(cell, dict)
        and isinstance(cell.get("cell_type"), str)
        and isinstance(cell.get("source"), (str, list, type(None)))
        for cell in cells
    ):
        raise Unreadable("its cells are not a list of cells, each with a cell_type and a text as its source")


def normalise(notebook):
    """Repairs in place what the format does not allow and Jupyter opens all the same."""
    metadata = typed(notebook.get("metadata"), NOTEBOOK_METADATA)
    spec = metadata.get("kernelspec")
    if spec is not None:
        for key in ("name", "display_name", "language"):
            if not isinstance(spec.get(key, ""), str):
                del spec[key]
    info = metadata.get("language_info")
    if info is not None:
        metadata["language_info"] = info = typed(info, LANGUAGE_INFO)
        if "name" not in info:
            del metadata["language_info"]
    widgets = metadata.get("widgets")
    if widgets is not None and not all(
        isinstance(state, dict) and isinstance(state.get("state"), dict) for state in widgets.values()
    ):
        del metadata["widgets"]
    orig = metadata.get("orig_nbformat")
    if not (isinstance(orig, int) and orig >= 1):
        metadata.pop("orig_nbformat", None)
    seen = set()
    for number, cell in enumerate(notebook["cells"]):
        normalise_cell(cell, number, seen)
    cells = notebook["cells"]
    notebook.clear()
    notebook.update(cells=cells, metadata=metadata, nbformat=4, nbformat_minor=MINOR)


def typed(metadata, types):
    """The metadata without fields of a type that the format does not know; null reads as absent."""
    if not isinstance(metadata, dict):
        return {}
    return {key: value for key, value in metadata.items() if key not in types or isinstance(value, types[key])}


def normalise_cell(cell, number, seen):
    kind = cell["cell_type"]
    if kind == "heading":
        level = cell.get("level") if isinstance(cell.get("level"), int) else 1
        kind, cell["source"] = "markdown", "#" * max(1, min(level, 6)) + " " + joined(cell.get("source"))
    if kind not in CELL_TYPES:
        kind = "raw"
    cell_id = cell.get("id")
    if not (isinstance(cell_id, str) and CELL_ID.fullmatch(cell_id)) or cell_id in seen:
        cell_id = f"cell-{number}"
        while cell_id in seen:
            cell_id += "-"
    seen.add(cell_id)
    kept = {"cell_type": kind, "id": cell_id, "source": joined(cell.get("source"))}
    kept["metadata"] = typed(cell.get("metadata"), CELL_METADATA)
    kept["metadata"]["tags"] = tags(kept["metadata"].get("tags"))
    if kept["metadata"].get("name") == "":
        del kept["metadata"]["name"]
    if kept["metadata"].get("scrolled", "auto") not in (True, False, "auto"):
        del kept["metadata"]["scrolled"]
    if kind == "code":
        # They are made anew; only an export of what ran reads them.
        outputs, count = cell.get("outputs"), cell.get("execution_count")
        found = map(readable, outputs) if isinstance(outputs, list) else ()
        kept["outputs"] = [output for output in found if output is not None]
        kept["execution_count"] = count if isinstance(count, int) and count >= 0 else None
    else:
        attachments = cell.get("attachments")
        if isinstance(attachments, dict):
            kept["attachments"] = {
                name: bundle
                for name, bundle in attachments.items()
                if isinstance(bundle, dict) and bundle and all(map(is_text, bundle.values()))
            }
    cell.clear()
    cell.update(kept)


def readable(output):
    """An output with the fields of its type, or None."""
    kind = output.get("output_type") if isinstance(output, dict) else None
    if kind == "stream":
        return output if isinstance(output.get("name"), str) and is_text(output.get("text")) else None
    if kind == "error" and isinstance(output.get("traceback"), list):
        texts = {key: output[key] if isinstance(output.get(key), str) else "" for key in ("ename", "evalue")}
        return {**output, **texts, "traceback": [line for line in output["traceback"] if isinstance(line, str)]}
    if kind in ("display_data", "execute_result") and isinstance(output.get("data"), dict):
        data = {mime: value for mime, value in output["data"].items() if JSON.fullmatch(mime) or is_text(value)}
        metadata = output.get("metadata")
        return {**output, "data": data, "metadata": metadata if isinstance(metadata, dict) else {}}
    return None


def is_text(value):
    return isinstance(value, str) or isinstance(value, list) and all(isinstance(line, str) for line in value)


def joined(source):
    """Lines are one text; a cell without a source is an empty one."""
    if source is None:
        return ""
    return source if isinstance(source, str) else "".join(part for part in source if isinstance(part, str))


def tags(value):
    """A cell's tags: null is none, a text is one, or several with commas."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        return []
    kept = [tag.strip() for tag in value if isinstance(tag, str) and tag.strip()]
    return list(dict.fromkeys(tag.replace(",", " ") for tag in kept))
