"""The parameters cell: papermill's conventions, where it is placed, and no value in any message.

What is raised here, and what the kernel says of the cell, may quote a value. So the texts are made of the names
of parameters, languages and kernels alone.
"""

import ast
import logging

from reveille_driver.assigned import may_set, mentions, overwritten
from reveille_driver.languages import OF_LANGUAGE
from reveille_driver.literals import Unwritable
from reveille_driver.spared import package_alone
from reveille_driver.words import RESERVED

INJECTED_TAG = "injected-parameters"
PARAMETERS_TAG = "parameters"
# CPython refuses a longer integer literal with a text that does not help.
MAX_DIGITS = 4_300


class Refused(Exception):
    """A parameter cannot be passed to this kernel; the text holds no value."""


def load_translators():
    """Papermill's translator for Python without the rest of papermill, whose import takes longer than many a notebook.

    Raises ImportError where papermill is not installed.
    """
    package_alone("papermill")
    from papermill.translators import PythonTranslator, Translator
    from papermill.version import version

    return Translator, PythonTranslator, version


def cell_source(parameters, kernel, language):
    """The text of the injected cell, or Refused."""
    if language in OF_LANGUAGE:
        return other_cell(parameters, kernel, OF_LANGUAGE[language](language))
    if language != "python":
        raise Refused(
            f"parameters cannot be passed to kernel {kernel}: nobody knows here how to write them in "
            + (f"its language, {language}" if language else "its language, which neither it nor the notebook names")
            + "; run the notebook without parameters, or put them into a file that it reads"
        )
    base, python, _ = load_translators()
    for name, value in parameters.items():
        check_name(name, name in RESERVED["python"].split() and "is a reserved word of", "Python")
        check_python(name, value, kernel, python)
    # Papermill's translator formats with black where that is installed, to no use here.
    return base.codify.__func__(python, parameters, "Parameters")


def other_cell(parameters, kernel, writer):
    if not writer.case_matters:
        seen = {}
        for name in parameters:
            if (other := seen.setdefault(name.lower(), name)) != name:
                raise Refused(f"parameters: {other} and {name} are one variable in {writer.title}; give one of them another name")
    for name, value in parameters.items():
        check_name(name, writer.why_not_name(name), writer.title)
        try:
            writer.assign(name, value)
        except Unwritable as lacking:
            raise Refused(
                f"parameters: cannot pass {name} to kernel {kernel}: it is, or holds, {lacking}, and {writer.title} has no form "
                "of that here; pass a text that the notebook reads"
            ) from None
    return writer.cell(parameters)


def check_name(name, problem, language):
    if problem:
        raise Refused(f"parameters: {name} {problem} {language}; give the parameter another name")


def check_python(name, value, kernel, translator):
    try:
        line = translator.assign(name, translator.translate(value))
    except Exception as error:
        raise Refused(
            f"parameters: papermill cannot write {name} for kernel {kernel} ({type(error).__name__})"
        ) from None
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


def injected_cell(text, cells):
    taken = {cell["id"] for cell in cells}
    name = INJECTED_TAG
    while name in taken:
        name += "-"
    return {
        "cell_type": "code",
        "id": name,
        "source": text,
        "metadata": {"tags": [INJECTED_TAG]},
        "outputs": [],
        "execution_count": None,
    }


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


def tell_left_over(cells):
    """A run without parameters executes what an earlier one was given, if the notebook is that one's output."""
    for number, cell in enumerate(cells, 1):
        if INJECTED_TAG in cell["metadata"]["tags"] and cell["cell_type"] == "code":
            logging.warning("Cell %d sets the parameters of an earlier run (%s), and this run has none.", number, INJECTED_TAG)


def check_tags(cells, parameters, language):
    """Refuses what papermill takes without a word: values that a cell below sets back."""
    if not parameters:
        return
    at, replaces = place(cells)
    number = at + 1 if replaces else at
    if number:
        check_tagged(cells, parameters, language, number, replaces)
        # What no tagged cell has is no parameter of this notebook, and may be a variable of its own.
        tagged = "\n".join(cell["source"] for cell in cells if {PARAMETERS_TAG, INJECTED_TAG} & set(cell["metadata"]["tags"]))
        declared = [name for name in parameters if mentions(tagged, name, language)]
        if unknown := [name for name in parameters if name not in declared]:
            # Papermill's "Passed unknown parameter": a slip in a name leaves the default as it was.
            logging.warning("The parameters cell (cell %d) has no %s; set all the same.", number, ", ".join(unknown))
    else:
        declared = list(parameters)
        logging.info("No cell is tagged %s: the run's values are set before the first cell.", PARAMETERS_TAG)
    lost = overwritten(cells[number:], declared, language)
    if lost is None:
        return
    where, names = number + lost[0] + 1, ", ".join(lost[1])
    if number:
        raise Refused(
            f"parameters: the run's values are set {'in place of' if replaces else 'after'} cell {number}, and cell {where} sets {names} "
            "again before a cell reads it, so the run's value would be lost; take that line out"
        )
    near = [tag for tag in cells[where - 1]["metadata"]["tags"] if "param" in tag.lower()]
    raise Refused(
        f"parameters: no cell is tagged {PARAMETERS_TAG}, so the run's values are set before the first cell, and cell {where} sets "
        f"{names} back; tag cell {where} {PARAMETERS_TAG}" + (f" (it is tagged {', '.join(near)})" if near else "")
    )


def check_tagged(cells, parameters, language, number, replaces):
    tag = INJECTED_TAG if replaces else PARAMETERS_TAG
    if not replaces and cells[number - 1]["cell_type"] != "code":
        raise Refused(
            f"parameters: cell {number} is tagged {PARAMETERS_TAG} and is not a code cell, so the run's values could be lost; "
            "tag the code cell that holds the defaults"
        )
    for other in range(number + 1, len(cells) + 1):
        cell = cells[other - 1]
        tags = {PARAMETERS_TAG, INJECTED_TAG} & set(cell["metadata"]["tags"])
        lost = sorted(set(parameters) & may_set(cell, parameters, language)) if tags else ()
        if lost:
            both = f"are both tagged {tag}" if tag in tags else f"are tagged {tag} and {min(tags)}"
            where = "in place of" if replaces else "after"
            raise Refused(
                f"parameters: cells {number} and {other} {both}; the run's values are set {where} cell {number}, "
                f"and cell {other} may set {', '.join(lost)} back; tag one cell only"
            )
