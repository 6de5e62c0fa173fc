"""Which names a cell sets, as far as its text tells: whether the run's values would be lost without a word."""

import ast
import re

# Cell magics that run their cell as Python, in the notebook's own variables.
RUN_HERE = ("capture", "prun", "time")
# A line that begins so is IPython's, and may read any variable.
LINE_MAGIC = re.compile(r"^(\s*)([%!?].*|.*\?)$")
OF_SHELL = re.compile(r"^(\s*[\w\s,]+=\s*)[!%].*$")
# What runs another file in the notebook's variables.
RUNS_A_FILE = re.compile(r"^\s*%run\b")
# What may read any variable without its name: other code that is run, or all variables at once.
READS_ALL = re.compile(r"%run\b|\b(?:exec|eval|globals|locals|vars)\s*\(")
READS_ALL_ELSEWHERE = re.compile(r"\b(?:source|include|eval|exec|exists|get|mget)\b|^\s*\.\s", re.MULTILINE)
# An assignment at the beginning of a line, in any of the languages: `val day = `, `$day = `, `[string]$day = `, `day::String = `,
# `day <- `, `export day=`.
ASSIGNMENT = r"^(?:[\w.<>\[\],?-]+\s+){0,3}(?:\[[^\]]*\]\s*)?\$?%s(?:\s*::?\s*[\w.\[\]{}<>]+)?\s*(?:<<?-|:?=)(?![=~>])(.*)$"
COMMENT = re.compile(r"^\s*(?:#|//|%|\(\*)")


def may_set(cell, names, language):
    """Which of the names the cell may set or take away."""
    if cell["cell_type"] != "code":
        return set()
    if language != "python":
        return {name for name in names if mentions(cell["source"], name, language)}
    if any(map(RUNS_A_FILE.match, cell["source"].split("\n"))):
        return set(names)
    tree = parsed(cell["source"])
    if tree is None:
        return {name for name in names if mentions(cell["source"], name, language)}
    found = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and not isinstance(node.ctx, ast.Load):
            found.add(node.id)
        elif isinstance(node, ast.alias):
            found |= set(names) if node.name == "*" else {node.asname or node.name.partition(".")[0]}
        else:
            # Functions and classes, `except ... as`, and the patterns of `match`.
            found |= {name for name in (getattr(node, field, None) for field in ("name", "rest")) if isinstance(name, str)}
    return found


def overwritten(cells, names, language):
    """The first of the cells that sets one of the names before any reads it, and which it sets: (index, names), or None."""
    left = list(names)
    for index, cell in enumerate(cells):
        if cell["cell_type"] != "code" or "skip-execution" in cell["metadata"]["tags"]:
            continue
        uses = {name: first_use(cell["source"], name, language) for name in left}
        if lost := sorted(name for name, use in uses.items() if use == "sets"):
            return index, lost
        left = [name for name in left if uses[name] is None]
    return None


def first_use(source, name, language):
    """What the cell first does with a name: "sets" where it does so in any case and reads it nowhere before, "reads" where it may, None
    where it does not have it."""
    if (READS_ALL if language == "python" else READS_ALL_ELSEWHERE).search(source):
        return "reads"
    if not mentions(source, name, language):
        return None
    if language != "python":
        return first_line(source, name, language)
    lines = source.split("\n")
    tree = parsed(source)
    if tree is None or any(mentions(line, name, language) for line in lines if LINE_MAGIC.match(line) or OF_SHELL.match(line)):
        return "reads"
    for statement in tree.body:
        if has(statement, name):
            return "sets" if sets(statement, name) else "reads"
    return None


def has(node, name):
    """Whether a piece of Python has the name: as a variable, or as a text by which it may ask for one."""
    return any(
        (isinstance(part, ast.Name) and part.id == name)
        or (isinstance(part, ast.arg) and part.arg == name)
        or (isinstance(part, (ast.Global, ast.Nonlocal)) and name in part.names)
        or (isinstance(part, ast.Constant) and part.value == name)
        or (isinstance(part, ast.alias) and name in (part.name, part.asname))
        or (isinstance(part, (ast.FunctionDef, ast.AsyncFunctionDef, ast.ClassDef)) and part.name == name)
        for part in ast.walk(node)
    )


def sets(statement, name):
    """Whether a statement is a plain assignment of the name, of a value that does not have it."""
    if not isinstance(statement, (ast.Assign, ast.AnnAssign)) or statement.value is None or has(statement.value, name):
        return False
    targets = statement.targets if isinstance(statement, ast.Assign) else [statement.target]
    flat = [item for target in targets for item in (target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target])]
    return any(isinstance(target, ast.Name) and target.id == name for target in flat)


def first_line(source, name, language):
    """The same of a language that nobody parses here: by the first line with the name that is no comment."""
    flags = re.IGNORECASE if language == ".net-powershell" else 0
    for line in source.split("\n"):
        if COMMENT.match(line) or not mentions(line, name, language):
            continue
        found = re.match(ASSIGNMENT % re.escape(name), line, flags)
        return "sets" if found and not mentions(found.group(1), name, language) else "reads"
    return None


def mentions(text, name, language):
    flags = re.IGNORECASE if language == ".net-powershell" else 0
    return re.search(rf"\b{re.escape(name)}\b", text, flags) is not None


def parsed(source):
    """A cell's Python without IPython's lines; None where it cannot be read as Python, or is not."""
    lines = source.split("\n")
    first = next((at for at, line in enumerate(lines) if line.strip()), 0)
    if lines[first].startswith("%%"):
        if not lines[first][2:].split()[:1] or lines[first][2:].split()[0] not in RUN_HERE:
            return None
        lines[first] = ""
    lines = [OF_SHELL.sub(r"\1None", LINE_MAGIC.sub(r"\1pass", line)) for line in lines]
    for text in ("\n".join(lines), source):
        try:
            return ast.parse(text)
        except Exception:  # SyntaxError, or too deep
            continue
    return None
