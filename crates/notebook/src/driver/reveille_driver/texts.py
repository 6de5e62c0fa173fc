"""Texts and files: bounded, free of terminal codes, written by rename, measured as they will be stored."""

import errno
import json
import os
import re
from json.encoder import encode_basestring

# A person reads these; a megabyte-long exception text must not travel in a report.
MAX_TEXT = 2_000
MAX_TRACEBACK_LINES = 40
MAX_TRACEBACK_LINE = 400
# What a line of a text costs in the file beyond its characters: nbformat stores a text as a list of lines.
LINE_OVERHEAD = 16
# So many characters are measured at a time, so that no second text of the whole is made for its size.
MEASURED = 1 << 20
# Whole sequences of ECMA-48: colours (CSI), titles, links and other strings (OSC, DCS, SOS, PM, APC), and the short ones.
ANSI = re.compile(
    r"(?:\x1b\[|\x9b)[ -?]*[@-~]?"
    r"|(?:\x1b[\]PX^_]|[\x90\x98\x9d-\x9f])[^\x00-\x1f\x7f-\x9f]*(?:\x07|\x1b\\|\x9c)"
    r"|\x1b[ -/]*[0-~]?"
)
# What shows nothing and changes what is shown around it: control characters but line feed and tab, marks that reorder text, line
# separators, annotations, tags. The domain's `shown::is_hidden` has the same list. Dropped after the sequences, so that none is left
# that was put together out of the rests of others.
HIDDEN = re.compile(
    "[\x00-\x08\x0b-\x1f\x7f-\x9f\xad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ufeff\ufff9-\ufffb"
    "\U000e0000-\U000e007f]"
)


def clean(text, limit=MAX_TEXT):
    text = str(text)
    # A bound on the work, too: what is cut off is not searched.
    text = plain(text[: limit * 10]).encode("utf-8", "backslashreplace").decode("utf-8")
    return text if len(text) <= limit else text[: limit - 3] + "..."


def plain(text):
    """The text as it can be shown: nothing in it moves a cursor, or hides or reorders the rest."""
    # A progress bar overwrites its line; its next state stands on a line of its own here.
    text = ANSI.sub("", text).replace("\r\n", "\n").replace("\r", "\n")
    return HIDDEN.sub("", text)


def tail(traceback):
    """The last lines of a traceback, as a kernel sends it: a list of texts, or anything else."""
    parts = traceback if isinstance(traceback, (list, tuple)) else [traceback]
    lines = "\n".join(str(part) for part in parts).splitlines()
    return [clean(line, MAX_TRACEBACK_LINE) for line in lines[-MAX_TRACEBACK_LINES:]]


def write_atomically(path, parts):
    """A reader, or a kill at any moment, never sees half a file."""
    try:
        _write(path, parts)
    except (FileNotFoundError, NotADirectoryError):
        # A cell removed the folder, or put a file into its place. What it held is lost, what comes is not.
        folder = os.path.dirname(path)
        if os.path.lexists(folder) and not os.path.isdir(folder):
            os.remove(folder)
        os.makedirs(folder, exist_ok=True)
        _write(path, parts)


def _write(path, parts):
    partial = str(path) + ".partial"
    # A lone surrogate in a cell's output cannot be encoded; inside JSON \udXXX is its own escape.
    with open(partial, "w", encoding="utf-8", errors="backslashreplace") as file:
        file.writelines([parts] if isinstance(parts, str) else parts)
    os.replace(partial, path)


def stored_size(value):
    """The bytes that a value takes in the output notebook, line breaks and escapes counted. Never much too small."""
    if isinstance(value, str):
        size = sum(encoded_size(value[at : at + MEASURED]) for at in range(0, len(value), MEASURED))
        return size + LINE_OVERHEAD * (1 + value.count("\n"))
    if isinstance(value, dict):
        return LINE_OVERHEAD + sum(stored_size(str(key)) + stored_size(item) for key, item in value.items())
    if isinstance(value, (list, tuple)):
        return LINE_OVERHEAD + sum(map(stored_size, value))
    return LINE_OVERHEAD + len(json.dumps(value, default=str))


def encoded_size(text):
    encoded = encode_basestring(text)
    return len(encoded) if encoded.isascii() else len(encoded.encode("utf-8", "backslashreplace"))


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


def is_nested_deeper(value, levels):
    """Whether lists and objects are in one another more often than so."""
    level = [value]
    for _ in range(levels + 1):
        items = [item.values() if isinstance(item, dict) else item for item in level if isinstance(item, (dict, list, tuple))]
        level = [inner for item in items for inner in item]
        if not level:
            return False
    return True


def caused_by_full_disk(error):
    seen = 0
    while error is not None and seen < 20:
        if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT):
            return True
        error, seen = error.__cause__ or error.__context__, seen + 1
    return False
