"""progress.json: which cell runs, for who watches."""

import json
import logging

from reveille_driver.texts import write_atomically


class Progress:
    def __init__(self, folder, cells):
        self.path = str(folder / "progress.json")
        self.shown = {"cell": 0, "cells": cells, "done": 0}
        self.write()

    def begins(self, index, position):
        """A cell of the executed notebook, and its place in the source: None for the injected one."""
        self.shown["index"] = index
        if position is not None:
            self.shown["cell"] = position + 1
        self.write()

    def completed(self, position):
        if position is not None:
            self.shown["done"] = position + 1
        self.write()

    def write(self):
        try:
            write_atomically(self.path, json.dumps(self.shown))
        except OSError as error:  # progress is a courtesy: the run goes on without it
            logging.warning("progress cannot be written: %s", error)
