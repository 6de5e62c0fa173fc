"""The status that a cell exits with where its kernel does not tell it: read from the code, in R and in bash.

The R kernel asks for an exit and says no more. bash_kernel starts another shell and says that all is well.
"""

import re

# Texts and comments, in which no call counts.
ASIDE = re.compile(r""""(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|#[^\n]*""", re.DOTALL)
CALL = re.compile(r"(?<![\w.$@])q(?:uit)?\s*\(")
PARAMETERS = ("save", "status", "runLast")
NUMBER = re.compile(r"[+-]?(\d+)L?")
R_UNKNOWN = "quit() was called with a status that the R kernel does not tell; use stop() to fail"
# Not behind a bracket: a shell of its own ends there.
EXIT = re.compile(r"(?:^|[;&|{]|\b(?:then|else|do)\b)[ \t]*exit\b[ \t]*([^\s;&|)}]*)", re.MULTILINE)
BASH_UNKNOWN = "the cell ended its shell, with a status that its kernel does not tell; use `false` or `(exit 1)` to fail"


def told(given, language, shell_ended, sources):
    """What a cell exits with, in a list; an empty one where it does not. `given` is what its kernel says."""
    if given and not given[0] and language == "r":
        return [of_r(sources)]
    if not given and shell_ended:
        return [of_bash(sources)]
    return given


def of_r(sources):
    """By the latest source that calls `quit` or `q`: a number, or a text where it may be one or another."""
    for source in reversed(sources):
        given = {number(text) for text in quits(source)}
        if given:
            return one_of(given, R_UNKNOWN)
    return 0


def of_bash(sources):
    """By the latest source that calls `exit`. The shell may have ended in another way."""
    for source in reversed(sources):
        given = {number(text or "0") for text in EXIT.findall(without_asides(source))}
        if given:
            return one_of(given, BASH_UNKNOWN)
    return BASH_UNKNOWN


def number(text):
    found = NUMBER.fullmatch(text)
    return int(found[1]) if found else None


def one_of(given, unknown):
    status = given.pop()
    return unknown if given or status is None else status


def without_asides(source):
    return ASIDE.sub(lambda found: "" if found[0].startswith("#") else '""', source)


def quits(source):
    """The code of the status that each call gives."""
    source = without_asides(source)
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
