"""The source notebook: read, checked, and brought into the form that Jupyter's libraries insist on.

Jupyter opens nearly everything and its libraries validate: what a person sees working must not fail here, so what
can be read in one way only is repaired. The source file itself is never written.
"""

import json
import re

# An escaped surrogate: nearly always half of a pair that is whole, which only encoding it tells.
SURROGATE = re.compile(r"\\u[dD][89a-fA-F]")
CELL_ID = re.compile(r"[a-zA-Z0-9_-]{1,64}")
CELL_TYPES = ("code", "markdown", "raw")
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
}
NOTEBOOK_METADATA = {"authors": list, "kernelspec": dict, "language_info": dict, "papermill": dict, "title": str}


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
    except UnicodeDecodeError as error:
        raise Unreadable(f"it is not UTF-8 text: {error}") from None
    try:
        notebook = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise Unreadable(f"it is not JSON: {error}") from None
    check(notebook)
    try:
        if SURROGATE.search(text):
            json.dumps(notebook, ensure_ascii=False).encode("utf-8")
    except UnicodeEncodeError as error:
        raise Unreadable(f"it holds text that is not Unicode (half of a surrogate pair): {error}") from None
    normalise(notebook)
    return notebook


def check(notebook):
    version = notebook.get("nbformat") if isinstance(notebook, dict) else None
    if version != 4:
        raise Unreadable(f"it is not in notebook format 4 (nbformat is {version!r}); open it in Jupyter and save it")
    cells = notebook.get("cells")
    if not isinstance(cells, list) or not all(
        isinstance(cell, dict)
        and isinstance(cell.get("cell_type"), str)
        and isinstance(cell.get("source"), (str, list))
        for cell in cells
    ):
        raise Unreadable("its cells are not a list of cells with cell_type and source")


def normalise(notebook):
    """Repairs in place what the format does not allow and Jupyter opens all the same."""
    metadata = typed(notebook.get("metadata"), NOTEBOOK_METADATA)
    spec = metadata.get("kernelspec")
    if spec is not None:
        for key in ("name", "display_name", "language"):
            if not isinstance(spec.get(key, ""), str):
                del spec[key]
    info = metadata.get("language_info")
    if info is not None and not isinstance(info.get("name"), str):
        del metadata["language_info"]
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
        kind, cell["source"] = "markdown", "#" * max(1, min(level, 6)) + " " + joined(cell["source"])
    if kind not in CELL_TYPES:
        kind = "raw"
    cell_id = cell.get("id")
    if not (isinstance(cell_id, str) and CELL_ID.fullmatch(cell_id)) or cell_id in seen:
        cell_id = f"cell-{number}"
        while cell_id in seen:
            cell_id += "-"
    seen.add(cell_id)
    kept = {"cell_type": kind, "id": cell_id, "source": joined(cell["source"])}
    kept["metadata"] = typed(cell.get("metadata"), CELL_METADATA)
    kept["metadata"]["tags"] = tags(kept["metadata"].get("tags"))
    if kept["metadata"].get("name") == "":
        del kept["metadata"]["name"]
    if kept["metadata"].get("scrolled", "auto") not in (True, False, "auto"):
        del kept["metadata"]["scrolled"]
    if kind == "code":
        # They are made anew; only an export of what ran reads them.
        outputs, count = cell.get("outputs"), cell.get("execution_count")
        kept["outputs"] = [output for output in outputs if readable(output)] if isinstance(outputs, list) else []
        kept["execution_count"] = count if isinstance(count, int) and count >= 0 else None
    else:
        attachments = cell.get("attachments")
        if isinstance(attachments, dict):
            kept["attachments"] = {
                name: bundle for name, bundle in attachments.items() if isinstance(bundle, dict) and bundle
            }
    cell.clear()
    cell.update(kept)


def readable(output):
    """Whether an output has the fields of its type."""
    if not isinstance(output, dict):
        return False
    kind = output.get("output_type")
    if kind == "stream":
        return isinstance(output.get("name"), str) and isinstance(output.get("text"), (str, list))
    if kind == "error":
        return isinstance(output.get("traceback"), list)
    return kind in ("display_data", "execute_result") and isinstance(output.get("data"), dict)


def joined(source):
    return source if isinstance(source, str) else "".join(part for part in source if isinstance(part, str))


def tags(value):
    """A cell's tags: null is none, a text is one, or several with commas."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list):
        return []
    kept = [tag.strip() for tag in value if isinstance(tag, str) and tag.strip()]
    return list(dict.fromkeys(tag.replace(",", " ") for tag in kept))
