"""A kernel's message as an output of the notebook's format.

nbformat builds the same, and holds each output against the whole schema: for the first one it compiles the schema,
which takes more memory and time than the rest of a small notebook. The format of an output is short; it is checked here.
"""

import json

from nbformat import from_dict

from reveille_driver.texts import clean, is_nested_deeper, tail


# No library nests as deep; Python's own recursion ends some way beyond.
MOST_LEVELS = 200


class NotAnOutput(Exception):
    """The message lacks what the format demands, or has it with another type."""


def from_message(message):
    """The output, or ValueError for a message that is none, or NotAnOutput for one that the format does not allow."""
    kind, content = message["header"]["msg_type"], message["content"]
    fields = FIELDS.get(kind)
    if fields is None:
        raise ValueError(f"not the message of an output: {kind!r}")
    for name, fits in fields.items():
        if name not in content or not fits(content[name]):
            raise NotAnOutput(f"{kind}: {name}")
    return from_dict({"output_type": kind, **{name: content[name] for name in fields}})


def repaired(kind, content):
    """The content of a message as the format has it: what can be read in one way only is kept, as Jupyter shows it."""
    if not is_object(content) or is_nested_deeper(content, MOST_LEVELS):
        raise NotAnOutput(kind)
    if kind == "error":
        lines = content.get("traceback")
        lines = [lines] if is_text(lines) else lines if isinstance(lines, (list, tuple)) else []
        texts = {name: content[name] if is_text(content.get(name)) else "" for name in ("ename", "evalue")}
        return {**content, **texts, "traceback": [line for line in lines if is_text(line)]}
    if kind == "stream":
        name, text = content.get("name"), content.get("text")
        return {**content, "name": name if is_text(name) else "stdout", "text": "".join(text) if is_texts(text) else text}
    if not is_count(content.get("execution_count")):
        content = {**content, "execution_count": None}
    if kind not in ("display_data", "execute_result", "update_display_data"):
        return content
    data, metadata = content.get("data"), content.get("metadata")
    kept = {name: item for name, value in data.items() if (item := fitting(name, value)) is not None} if is_object(data) else {}
    if data != {} and not kept:
        raise NotAnOutput(kind)
    return {**content, "data": kept, "metadata": metadata if is_object(metadata) else {}}


def fitting(kind, value):
    """What a bundle may hold of this kind: the value, or a number as the text that it is; None for nothing."""
    if is_json(kind) or is_text(value) or is_texts(value):
        return value
    return json.dumps(value) if isinstance(value, (int, float)) else None


def shortened(content):
    """An error's content as far as a failure tells of it."""
    lines = content.get("traceback")
    texts = {name: clean(content.get(name)) if content.get(name) else "" for name in ("ename", "evalue")}
    return {**texts, "traceback": tail(lines) if lines else []}


def is_text(value):
    return isinstance(value, str)


def is_texts(value):
    return isinstance(value, (list, tuple)) and all(map(is_text, value))


def is_object(value):
    return isinstance(value, dict)


def is_count(value):
    return value is None or (isinstance(value, int) and not isinstance(value, bool) and value >= 0)


def is_bundle(value):
    """Texts by their kind; what a kind of JSON holds may be anything."""
    return is_object(value) and all(
        is_json(kind) or is_text(item) or is_texts(item) for kind, item in value.items()
    )


def is_json(kind):
    return kind == "application/json" or (kind.startswith("application/") and kind.endswith("+json"))


FIELDS = {
    "stream": {"name": is_text, "text": lambda value: is_text(value) or is_texts(value)},
    "display_data": {"data": is_bundle, "metadata": is_object},
    "execute_result": {"data": is_bundle, "metadata": is_object, "execution_count": is_count},
    "error": {"ename": is_text, "evalue": is_text, "traceback": is_texts},
}
