"""The status that an R notebook was quit with. The R kernel asks for an exit and does not tell it: it is read from the code."""

import re

# Texts and comments, in which no call counts.
ASIDE = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|#[^\n]*""", re.DOTALL)
CALL = re.compile(r"(?<![\w.$@])q(?:uit)?\s*\(")
PARAMETERS = ("save", "status", "runLast")
NUMBER = re.compile(r"[+-]?(\d+)L?")
UNKNOWN = "quit() was called with a status that the R kernel does not tell; use stop() to fail"


def status(sources):
    """The status by the latest source that calls `quit` or `q`: a number, or a text where it may be one or another."""
    for source in reversed(sources):
        given = {number(text) for text in statuses(source)}
        if given:
            return given.pop() if len(given) == 1 else UNKNOWN
    return 0


def number(text):
    found = NUMBER.fullmatch(text)
    return int(found[1]) if found else UNKNOWN


def statuses(source):
    """The code of the status that each call gives."""
    source = ASIDE.sub(lambda found: "" if found[0].startswith("#") else '""', source)
    for call in CALL.finditer(source):
        free, given = list(PARAMETERS), "0"
        for argument in arguments(source, call.end()):
            name, equals, value = argument.partition("=")
            named = equals and name.strip() in free
            which = name.strip() if named else free[0] if free else None
            if which is None:
                break
            free.remove(which)
            if which == "status":
                given = (value if named else argument).strip()
        yield given


def arguments(source, at):
    """The arguments from behind the bracket to the one that closes it."""
    depth, begin = 0, at
    for place in range(at, len(source)):
        character = source[place]
        if character in "([{":
            depth += 1
        elif depth and character in ")]}":
            depth -= 1
        elif not depth and character in ",)":
            if source[begin:place].strip() or character == ",":
                yield source[begin:place]
            begin = place + 1
            if character == ")":
                return
