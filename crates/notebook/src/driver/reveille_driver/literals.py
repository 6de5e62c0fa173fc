"""Values as literals of the languages of kernels, which the language reads back exactly. Python's are papermill's.

Papermill's own translators escape every text as Python would. Julia and PowerShell then execute what a text holds (`$(...)`),
and R, Scala, Julia, C#, MATLAB and PowerShell read other characters than were meant (decision 0059). Here every literal is
printable ASCII on one line, so no encoding, line end, completion or terminal stands between it and the kernel. What a value
becomes is papermill's choice, but for what would arrive changed. What a language cannot hold is refused, and no refusal
quotes a value.
"""

import re

from reveille_driver.words import RESERVED

PLAIN = re.compile(r"[ -~]*")
INT32 = range(-(2**31), 2**31)
# The parsers of R and of the JVM's classes take no longer text: 10,000 characters if one of them is an escape, 65,535 bytes.
PIECE = 4_000
WORDS = {dict: "an object", type(None): "null"}


class Unwritable(Exception):
    """The language has no such value; the text says what it is, in words that hold no value."""


class Literals:
    """One language. The classes below say what is different in theirs."""

    title = None
    comment = "# Parameters"
    null, true, false = "null", "true", "false"
    # Types of values that the language, or papermill's idea of it, has not.
    lacks = ()
    holds_nul = True
    case_matters = True
    wide = ""
    # Names that the literals use, and that are no reserved words: whoever passes one has it set behind all the others.
    used = ()
    open_any, open_same, close = "[", "[", "]"
    between = ", "

    def __init__(self, language):
        self.language = language
        self.reserved = frozenset(RESERVED.get(language, "").split())

    def why_not_name(self, name):
        """Why no variable can have this name, or None."""
        same = name if self.case_matters else name.lower()
        return "is a reserved word of" if same in self.reserved else None

    def cell(self, parameters):
        last = sorted(parameters.items(), key=lambda parameter: parameter[0] in self.used)
        return "".join([f"{self.comment}\n", *(f"{self.assign(name, value)}\n" for name, value in last)])

    def assign(self, name, value):
        return f"{name} = {self.value(value)}"

    def value(self, value):
        if isinstance(value, self.lacks):
            raise Unwritable(WORDS[type(value)])
        if value is None:
            return self.null
        if isinstance(value, bool):
            return self.true if value else self.false
        if isinstance(value, str):
            return self.checked_text(value)
        if isinstance(value, int):
            return self.integer(value)
        if isinstance(value, float):
            return self.real(value)
        return self.pairs(value) if isinstance(value, dict) else self.items(value)

    def checked_text(self, text):
        if "\0" in text and not self.holds_nul:
            raise Unwritable("a text with the character U+0000")
        return self.text(text)

    def integer(self, value):
        return f"{value}{'' if value in INT32 else self.wide}"

    def real(self, value):
        if value - value != 0:
            raise Unwritable("a number that is not finite")
        return repr(value)

    def items(self, value):
        if self.wide and kinds(value) == {"int", "long"}:
            # Of one type: the wider one.
            written = [f"{item}{self.wide}" for item in value]
        else:
            written = [self.value(item) for item in value]
        opening = self.open_same if are_alike(value) else self.open_any
        return f"{opening}{self.between.join(written)}{self.close}"

    def keys_and_values(self, value):
        """The pairs, each written; two names that are one here are refused."""
        if not self.case_matters and len({key.lower() for key in value}) < len(value):
            raise Unwritable("an object with two names that differ in case only")
        return [(self.checked_text(key), self.value(item)) for key, item in value.items()]


def are_alike(items):
    """Whether one type holds all of them as they are."""
    found = kinds(items)
    return len(found) <= 1 or found == {"int", "long"}


def kinds(items):
    """The types of a list's items, as far as a language's own lists tell them apart."""
    return {kind(item) for item in items}


def kind(value):
    if isinstance(value, list):
        inner = kinds(value)
        return f"list of {inner.pop() if len(inner) == 1 else 'any'}"
    if isinstance(value, dict):
        inner = {kind(item) for item in value.values()}
        return f"object of {inner.pop() if len(inner) == 1 else 'any'}"
    if isinstance(value, int) and not isinstance(value, bool):
        return "int" if value in INT32 else "long"
    return type(value).__name__


def escaped(text, also="", long="\\U{:08x}"):
    """A text between double quotes, with C's escapes: `\\uXXXX` has four digits, and what is beyond follows `long`. The characters
    of `also` mean something in such a text, and mean themselves behind a backslash."""
    simple = {"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t", **{char: "\\" + char for char in also}}

    def one(char):
        if char in simple:
            return simple[char]
        if " " <= char <= "~":
            return char
        return f"\\u{ord(char):04x}" if ord(char) <= 0xFFFF else long.format(ord(char))

    return f'"{"".join(map(one, text))}"'


def utf16(text):
    """A text's code units."""
    code = text.encode("utf-16-be")
    return [int.from_bytes(code[at : at + 2], "big") for at in range(0, len(code), 2)]


def escaped_ascii(text):
    """A text between double quotes in which only what is ASCII is escaped."""
    return '"' + "".join(escaped(char)[1:-1] if char <= "~" else char for char in text) + '"'


def cut(text):
    return [text[at : at + PIECE] for at in range(0, len(text), PIECE)] or [""]


def nesting(literal):
    """How deep a literal's brackets are nested."""
    level = deepest = 0
    for char in re.sub(r'"(?:\\.|[^"\\])*"', "", literal):
        level += (char == "(") - (char == ")")
        deepest = max(deepest, level)
    return deepest
