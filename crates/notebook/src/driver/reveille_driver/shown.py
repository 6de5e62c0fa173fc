"""What the page shows otherwise than output.ipynb holds it: nothing that was printed, or that failed, stays out of sight.

nbconvert shows an Output widget as its name, an error without a traceback not at all, and of a cell with a tag that takes
it out of the page not even that the notebook failed there.
"""

from reveille_driver import cell_end, source
from reveille_driver.parameters import INJECTED_TAG, PARAMETERS_TAG
from reveille_driver.texts import stored_size

WIDGET_VIEW = "application/vnd.jupyter.widget-view+json"
WIDGET_STATE = "application/vnd.jupyter.widget-state+json"
# How a widget's state names another one.
REFERENCE = "IPY_MODEL_"
# What is shown a second time costs the page as much again. Beyond this many characters of it, its place says where it stands.
SHOWN_AGAIN = 4 << 20
# Widgets may hold one another, many times over: no notebook of a person's has as many.
MOST_STEPS = 10_000
DEEPEST = 50
ABOVE = {"output_type": "stream", "name": "stdout", "text": "[the same output is shown above]\n"}
HIDES_CELL = {"remove-cell", "remove_cell"}
HIDES_OUTPUTS = {"remove-output", "remove_output"}
HIDES_INPUT = {"remove-input", "remove_input"}


def prepare(notebook):
    """The notebook as the page is to show it; the given one stays as it is."""
    widgets = Widgets(notebook["metadata"].get("widgets"))
    cells = [prepared(cell, widgets) for cell in as_hidden_as_its_defaults(notebook["cells"])]
    return type(notebook)({**notebook, "cells": cells})


def as_hidden_as_its_defaults(cells):
    """The injected cell stands for the one with the defaults: what its author takes out of the page is not there with other values."""
    hidden = []
    for cell in cells:
        tags = cell["metadata"]["tags"]
        if PARAMETERS_TAG in tags:
            hidden = [tag for tag in tags if tag in HIDES_CELL | HIDES_INPUT]
        if INJECTED_TAG in tags and hidden:
            cell = type(cell)({**cell, "metadata": type(cell)({**cell["metadata"], "tags": [*tags, *hidden]})})
        yield cell


def prepared(cell, widgets):
    if cell["cell_type"] != "code":
        return cell
    node = type(cell)
    outputs = [shown for output in cell["outputs"] for shown in widgets.shown(output)]
    cell = node({**cell, "outputs": [told(output) for output in outputs]})
    tags = set(cell["metadata"]["tags"])
    if failed(cell) and tags & (HIDES_CELL | HIDES_OUTPUTS):
        # What the author hides stays hidden, but for the reason of the failure.
        hides_source = ["remove-input"] if tags & HIDES_CELL else []
        kept = [tag for tag in cell["metadata"]["tags"] if tag not in HIDES_CELL | HIDES_OUTPUTS]
        cell["metadata"] = node({**cell["metadata"], "tags": kept + hides_source})
        cell["outputs"] = [output for output in cell["outputs"] if output["output_type"] == "error"]
    return cell


def failed(cell):
    papermill = cell["metadata"].get("papermill")
    return isinstance(papermill, dict) and papermill.get("status") == "failed"


def told(output):
    """An error without a traceback in words, as Jupyter shows it."""
    if output["output_type"] != "error" or output["traceback"]:
        return output
    return type(output)({**output, "traceback": [cell_end.in_words(output["ename"], output["evalue"])]})


class Widgets:
    """The widgets' states that the notebook keeps, and what Output widgets hold."""

    def __init__(self, metadata):
        states = metadata.get(WIDGET_STATE) if isinstance(metadata, dict) else None
        models = states.get("state") if isinstance(states, dict) else None
        self.models = models if isinstance(models, dict) else {}
        self.seen = set()
        self.again = 0
        self.steps = 0

    def shown(self, output, path=frozenset()):
        """What is shown in an output's place: what the Output widgets hold that it shows, or itself."""
        view = output["data"].get(WIDGET_VIEW) if "data" in output else None
        model = view.get("model_id") if isinstance(view, dict) else None
        if not isinstance(model, str) or not isinstance(self.models.get(model), dict):
            return [output]
        found = self.within(model, path)
        return found if self.is_output(model) else [output, *found]

    def within(self, model, path):
        """What the Output widgets in a widget hold, in their order."""
        self.steps += 1
        if model in path or self.steps > MOST_STEPS or len(path) > DEEPEST or not isinstance(self.models.get(model), dict):
            return []
        path = path | {model}
        if self.is_output(model):
            return [shown for output in self.held(model) for shown in self.shown(output, path)]
        return [shown for child in self.children(model) for shown in self.within(child, path)]

    def state(self, model):
        state = self.models[model].get("state")
        return state if isinstance(state, dict) else {}

    def is_output(self, model):
        return self.models[model].get("model_name") == "OutputModel"

    def children(self, model):
        children = self.state(model).get("children")
        named = children if isinstance(children, list) else []
        return [name.removeprefix(REFERENCE) for name in named if isinstance(name, str)]

    def held(self, model):
        outputs = self.state(model).get("outputs")
        readable = map(source.readable, outputs) if isinstance(outputs, (list, tuple)) else ()
        held = [output for output in readable if output is not None]
        if model in self.seen:
            self.again += stored_size(held)
            if self.again > SHOWN_AGAIN:
                return [ABOVE]
        self.seen.add(model)
        return held
