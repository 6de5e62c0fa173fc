"""How a cell ended: what its kernel's reply says, in whatever form the kernel says it. Decides; asks and shows nothing."""

import ast
import builtins
import re

# Asked of ipykernel with each cell: whether the cell told the kernel itself to shut down, or stopped the loop that it runs in. It
# ends a moment after its reply, in which the next cell may or may not be executed.
SHUT_DOWN = {
    "reveille_shuts_down": "get_ipython().exit_now",
    "reveille_stops": "getattr(__import__('asyncio').get_running_loop(), '_stopping', False)",
}
# Asked of xeus-python with each cell: what IPython, which it runs cells with, says of it. Its reply says that all is well where IPython
# printed the error and did not show it: an unknown magic, an ExceptionGroup.
FAILED = {
    "reveille_failed": "(lambda result, error: None if result.success else [type(error).__name__, str(error)[:2000]])(*(lambda result: "
    "(result, result.error_before_exec or result.error_in_exec))(get_ipython().last_execution_result))"
}
# Asked of ipykernel after a failure: what was raised, and whether Python itself would end with status 0. The reply has only
# texts, in which `sys.exit("0")` and `sys.exit(0)` are the same, and a class derived from SystemExit is any other.
RAISED = {
    "reveille_raised": "(lambda e: [type(e).__name__, isinstance(e, SystemExit) and (e.code is None or "
    "isinstance(e.code, int) and e.code == 0)])(__import__('sys').last_value)"
}
# Asked of ipykernel where no reply came: JSON does not hold every value that `exit()` takes.
EXIT_VALUE = {
    "reveille_exits": "get_ipython().keepkernel_on_exit is not None",
    "reveille_value": "str(get_ipython().keepkernel_on_exit)[:2000]",
}
# What `sys.exit()` was given where Python's own status is 0, for a kernel that cannot be asked.
SUCCESS = ("", "0", "None", "False")
# xeus-python names a class as Python shows it.
CLASS = re.compile(r"<class '([^']+)'>")
# IPython's own magics that show what their code raised, and go on: `%time` did until IPython 9, `run` needs no `%`.
SWALLOWS = re.compile(
    r"""^[ \t]*(?:[\w.,\[\]'" \t]+=[ \t]*)?%%?(?:run|time|capture|rerun)\b"""
    r"""|^[ \t]*run[ \t]+[^=\s]"""
    r"""|\brun_(?:line|cell)_magic\(\s*['"](?:run|time|capture|rerun)\b""",
    re.MULTILINE,
)

# What a kernel that is lost is told by, where it printed no error.
IS_LOST = "the kernel does not go on after this cell, as when it closed sys.stdout or sys.stderr, or replaced one by what cannot be flushed"
TRACEBACK = "Traceback (most recent call last):"
# IPython's word for an error outside of the cell's code: in showing its value, for example. What it was is shown.
NO_ERROR_OF_CODE = "NoneType"


def payloads(reply):
    """What the reply asks of a person's Jupyter beside the cell: objects with their source."""
    given = reply.get("payload")
    return [item for item in given if isinstance(item, dict)] if isinstance(given, list) else []


def pages(reply):
    """What Jupyter would show in a pager: `len?`, `%psource`. Some kernels of R send its texts in the data's place."""
    for item in payloads(reply):
        if item.get("source") == "page":
            data = item["data"] if isinstance(item.get("data"), dict) else {kind: item[kind] for kind in item if "/" in kind}
            if data:
                yield data


def proposes_a_cell(reply):
    return any(item.get("source") == "set_next_input" for item in payloads(reply))


def exits(reply):
    """What `exit()` or `quit()` was given, in a list; an empty one where neither was called."""
    return [item.get("keepkernel") for item in payloads(reply) if item.get("source") == "ask_exit"][-1:]


def unsent_exit(answers):
    """The reply that the kernel could not send, by its answers to EXIT_VALUE; without them, that of a cell that failed."""
    if answer(answers, "reveille_exits") != "True":
        return {"status": "error", "evalue": "the kernel has done with the cell, and did not say how it ended"}
    try:
        value = str(ast.literal_eval(answer(answers, "reveille_value")))
    except (ValueError, SyntaxError, TypeError):
        value = "a value that the kernel cannot tell"
    return {"status": "ok", "payload": [{"source": "ask_exit", "keepkernel": value}]}


def lost(cell):
    """In the place of all replies of a kernel that is lost: with the error that it printed for it."""
    words = printed(cell, "stderr")
    name, text = named_in(words) if TRACEBACK in "".join(words) else ("", "")
    return {"status": "error", "ename": name, "evalue": f"{text} ({IS_LOST})" if text else IS_LOST}


def may_be_exit(name):
    """Whether what was raised may be a SystemExit, or derived from it. Python's other errors are none; and a kernel without memory
    (MemoryError) would not answer."""
    known = getattr(builtins, name, None)
    return not isinstance(known, type) or known is SystemExit


def is_success(status):
    """As Python's own sys.exit() takes it; but True is IPython's `keep_kernel=True`, which says nothing of a failure."""
    return status is None or isinstance(status, bool) or (isinstance(status, int) and status == 0)


def as_it_ended(reply):
    """The reply, or in its place that of a failed cell, where the answer to FAILED is an error."""
    try:
        name, text = map(str, ast.literal_eval(answer(reply, "reveille_failed") or "None"))
    except (ValueError, SyntaxError, TypeError):
        return reply
    return {"status": "error", "ename": name, "evalue": text}


def shuts_down(reply):
    """Whether an answer to SHUT_DOWN is yes; a notebook that redefines what it asks for has no say in it."""
    return any(answer(reply, asked) == "True" for asked in SHUT_DOWN)


def answer(reply, name):
    """What an expression came to, as text; None where it has no answer."""
    answers = reply.get("user_expressions")
    given = answers.get(name) if isinstance(answers, dict) else None
    data = given.get("data") if isinstance(given, dict) else None
    return data.get("text/plain") if isinstance(data, dict) else None


def error_of(reply, shown, cell):
    """The error's name, text and traceback: from the reply, from what the cell shows of it, from the cell's last words."""
    if reply.get("ename") == NO_ERROR_OF_CODE:
        reply = {}
    name = class_name(str(reply.get("ename") or shown.get("ename") or ""))
    text = str(reply.get("evalue") or shown.get("evalue") or "")
    if not name and not text and not shown:
        name, text = named_in(printed(cell, "stderr"))
    return name, text, reply.get("traceback") or shown.get("traceback") or last_printed(cell)


def is_shown(reply, shown):
    """Whether the cell shows the error of the reply, and not only an earlier one."""
    name = reply.get("ename")
    return bool(shown) and (not name or name in (NO_ERROR_OF_CODE, shown.get("ename")))


def class_name(text):
    found = CLASS.fullmatch(text)
    return found[1].rpartition(".")[2] if found else text


def last_printed(cell):
    """What the cell wrote last: to stderr, where IPython prints some tracebacks and gives none in its reply; else to stdout,
    because a shell's kernel knows no other."""
    return printed(cell, "stderr") or printed(cell, "stdout")


def printed(cell, stream):
    return [output["text"] for output in cell["outputs"] if output.get("name") == stream][-1:]


def named_in(words):
    """The error that a printed traceback ends with; without a name, and without a text, where it is none."""
    line = "".join(words).rstrip().rpartition("\n")[2]
    name, _, text = line.partition(":")
    if name.replace(".", "").isidentifier():
        return name.rpartition(".")[2], text.strip()
    return "", ""


def in_words(name, text):
    """An error in one line. A shell's kernel has no name for it: its text is the status of the last command."""
    if name:
        return f"{name}: {text}" if text else name
    if text.isdecimal():
        return f"exit status: {text}"
    return text or "the kernel does not say what failed"


def swallowed(cell, shown):
    """The error that one of IPython's magics showed and did not raise; None where the author showed one on purpose."""
    return shown if shown and SWALLOWS.search(cell["source"]) else None
