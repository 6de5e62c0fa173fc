"""The parameters cell: papermill's translators and conventions, and no value in any message.

What is raised here, and what the kernel says of the cell, may quote a value. So the texts are made of the names
of parameters, languages and kernels alone.
"""

import ast

from reveille_driver.spared import package_alone
from reveille_driver.words import ALIASES, RESERVED

INJECTED_TAG = "injected-parameters"
PARAMETERS_TAG = "parameters"
# CPython refuses a longer integer literal with a text that does not help.
MAX_DIGITS = 4_300


class Refused(Exception):
    """A parameter cannot be passed to this kernel; the text holds no value."""


def load_translators():
    """Papermill's translators without the rest of papermill, whose import takes longer than many a notebook.

    Raises ImportError where papermill is not installed.
    """
    package_alone("papermill")
    from papermill.translators import PythonTranslator, Translator, papermill_translators
    from papermill.version import version

    return papermill_translators._translators, Translator, PythonTranslator, version


def cell_source(parameters, kernel, language):
    """The text of the injected cell, or Refused."""
    known, base, python, _ = load_translators()
    translator, language = find_translator(known, kernel, language)
    if translator is None:
        raise Refused(
            f"papermill cannot pass parameters to kernel {kernel}: it has no translator for "
            + (f"its language, {language}" if language else "its language, which neither it nor the notebook names")
            + "; run the notebook without parameters, or put them into a file that it reads"
        )
    reserved = reserved_names(translator, python, language)
    for name, value in parameters.items():
        if name in reserved:
            raise Refused(f"parameters: {name} is a reserved word of {language or kernel}; give the parameter another name")
        check_value(name, value, kernel, translator, python)
    # Papermill's translator for Python formats with black where that is installed, to no use here.
    codify = base.codify.__func__ if issubclass(translator, python) else translator.codify.__func__
    return codify(translator, parameters, "Parameters")


def find_translator(known, kernel, language):
    """Papermill's order: by the kernel's name, then by the language."""
    lower = (language or "").lower()
    lower = ALIASES.get(lower, lower)
    if kernel in known:
        return known[kernel], lower or kernel
    by_name = {name.lower(): translator for name, translator in known.items() if isinstance(name, str)}
    return by_name.get(lower), lower or None


def reserved_names(translator, python, language):
    if issubclass(translator, python):
        return frozenset(RESERVED["python"].split())
    return frozenset(RESERVED.get(language, "").split())


def check_value(name, value, kernel, translator, python):
    try:
        line = translator.assign(name, translator.translate(value))
    except NotImplementedError:
        lacking = sorted({word(type(part)) for part in parts(value) if lacks(translator, part)})
        raise Refused(
            f"parameters: papermill cannot pass {name} to kernel {kernel}: its translator for this language lacks the "
            f"type that the value has, or holds ({', '.join(lacking)}); pass a text that the notebook reads"
        ) from None
    except Exception as error:
        raise Refused(
            f"parameters: papermill cannot write {name} for kernel {kernel} ({type(error).__name__})"
        ) from None
    if not issubclass(translator, python):
        return
    if any(isinstance(item, int) and abs(item) >= 10**MAX_DIGITS for item in parts(value)):
        raise Refused(f"parameters: {name} is, or holds, a number of more than {MAX_DIGITS} digits, which Python refuses")
    try:
        good = isinstance(ast.parse(line).body[0], ast.Assign)
    except Exception:
        good = False
    if not good:
        raise Refused(f"parameters: {name} cannot be assigned in Python; give the parameter another name")


def parts(value):
    """The value and everything in it."""
    stack = [value]
    while stack:
        item = stack.pop()
        yield item
        if isinstance(item, dict):
            stack.extend(item.values())
        elif isinstance(item, list):
            stack.extend(item)


def lacks(translator, part):
    """Whether the translator lacks this type by itself, whatever the part holds."""
    try:
        translator.translate(type(part)() if isinstance(part, (dict, list)) else part)
    except NotImplementedError:
        return True
    except Exception:  # refused elsewhere
        pass
    return False


def word(kind):
    names = {dict: "object", list: "list", type(None): "null", str: "text", bool: "boolean", int: "number", float: "number"}
    return names.get(kind, kind.__name__)


def place(cells):
    """Where papermill puts the injected cell: (index, whether it takes the place of an old one)."""
    for index, cell in enumerate(cells):
        if INJECTED_TAG in cell["metadata"]["tags"]:
            return index, True
    for index, cell in enumerate(cells):
        if PARAMETERS_TAG in cell["metadata"]["tags"]:
            return index + 1, False
    return 0, False


def tell_places(metadata, cells, positions, injected):
    """Lists the cells' numbers in the source where a reader, who goes by the tag of the injected cell (0), would count others."""
    places = [0 if index == injected else position + 1 for index, position in enumerate(positions)]
    counted, number = [], 0
    for cell in cells:
        is_injected = INJECTED_TAG in cell["metadata"]["tags"]
        number += not is_injected
        counted.append(0 if is_injected else number)
    # What an earlier run wrote there is not of this one.
    metadata.pop("reveille", None)
    if places != counted:
        metadata["reveille"] = {"source_cells": places}


def check_tags(cells, parameters):
    """Refuses what papermill takes without a word: values that a tagged cell below sets back."""
    if not parameters:
        return
    at, replaces = place(cells)
    number = at + 1 if replaces else at
    tag = INJECTED_TAG if replaces else PARAMETERS_TAG
    if not number:
        return  # no cell is tagged
    if not replaces and cells[at - 1]["cell_type"] != "code":
        raise Refused(
            f"parameters: cell {number} is tagged {PARAMETERS_TAG} and is not a code cell, so the run's values could be lost; "
            "tag the code cell that holds the defaults"
        )
    for other in range(number + 1, len(cells) + 1):
        cell = cells[other - 1]
        tags = {PARAMETERS_TAG, INJECTED_TAG} & set(cell["metadata"]["tags"])
        lost = sorted(set(parameters) & assigned(cell, parameters)) if tags else ()
        if lost:
            both = f"are both tagged {tag}" if tag in tags else f"are tagged {tag} and {min(tags)}"
            where = "in place of" if replaces else "after"
            raise Refused(
                f"parameters: cells {number} and {other} {both}; the run's values are set {where} cell {number}, "
                f"and cell {other} may set {', '.join(lost)} back; tag one cell only"
            )


def assigned(cell, names):
    """Which of the names a cell may set or take away; all of them where it cannot be read as Python."""
    if cell["cell_type"] != "code":
        return set()
    try:
        tree = ast.parse(cell["source"])
    except Exception:
        return set(names)
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
