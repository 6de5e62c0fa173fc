"""JSON as nbformat lays it out, in pieces: a notebook's file never stands in memory beside the notebook.

json.dumps has the layout too, but once it indents it is slow Python, and it makes one text of the whole.
"""

import json
from json.encoder import encode_basestring

# So much of a text is encoded at a time.
PIECE = 1 << 20
# Lines that are encoded at a time, of a list that a kernel sent as one.
BATCH = 4_000


class Lines:
    """A text that the format stores as a list of its lines."""

    def __init__(self, text):
        self.text = text


def parts(value, pad="\n"):
    """The value's JSON in pieces; `pad` is the line break before what stands beside it."""
    if isinstance(value, Lines):
        yield from listed((piece.splitlines(True) for piece in pieces(value.text)), pad)
    elif isinstance(value, dict) and value:
        lead = "{" + pad + " "
        for key in sorted(value):
            yield lead + encode_basestring(key) + ": "
            yield from parts(value[key], pad + " ")
            lead = "," + pad + " "
        yield pad + "}"
    elif isinstance(value, (list, tuple)) and value:
        if all(type(item) is str for item in value):
            yield from listed((value[at : at + BATCH] for at in range(0, len(value), BATCH)), pad)
            return
        lead = "[" + pad + " "
        for item in value:
            yield lead
            yield from parts(item, pad + " ")
            lead = "," + pad + " "
        yield pad + "]"
    elif isinstance(value, str):
        yield encode_basestring(value)
    else:
        yield json.dumps(value, ensure_ascii=False)


def listed(batches, pad):
    """A list of texts that come in batches."""
    between = "," + pad + " "
    lead = "[" + pad + " "
    empty = True
    for batch in batches:
        yield lead + between.join(map(encode_basestring, batch))
        lead, empty = between, False
    yield "[]" if empty else pad + "]"


def pieces(text, size=PIECE):
    """The text in pieces that end where a line does."""
    start = 0
    while start < len(text):
        end = text.rfind("\n", start, start + size) + 1 if len(text) - start > size else len(text)
        if end == 0:
            end = text.find("\n", start + size) + 1 or len(text)
        yield text[start:end]
        start = end
