"""What a cell writes to stdout and stderr, as Jupyter shows it: pieces joined, carriage returns and backspaces applied."""

import re

BACK = re.compile(r"[\r\b]")
ESCAPE = "\x1b"
# A line of more characters is no progress bar: what is there stays, so that appending to it costs what is appended.
LONG_LINE = 1 << 16


class Screen:
    """One stream output: lines that are complete, and the line that is being written over."""

    def __init__(self):
        self.done = []
        self.line = ""
        self.column = 0

    @classmethod
    def over(cls, text, column):
        """A screen that shows this text already."""
        screen = cls()
        lines, end, screen.line = text.rpartition("\n")
        screen.done = [lines + end] if end else []
        screen.column = column
        return screen

    def feed(self, text):
        """Writes; returns what lines were completed by it, for the log, in pieces."""
        before = len(self.done)
        # Most of what is printed goes back nowhere: it is taken as it stands, not line by line.
        if "\r" not in text and "\b" not in text:
            self.write(text)
            return self.done[before:]
        start = 0
        for control in BACK.finditer(text):
            self.write(text[start : control.start()])
            start = control.end()
            self.column = 0 if control.group() == "\r" else max(self.column - 1, 0)
        self.write(text[start:])
        return self.done[before:]

    def write(self, text):
        """Writes what holds line breaks, and nothing that goes back."""
        first, end, rest = text.partition("\n")
        self.put(first)
        if not end:
            return
        self.done.append(self.line + "\n")
        whole, end, self.line = rest.rpartition("\n")
        if end:
            self.done.append(whole + end)
        self.column = len(self.line)

    def put(self, text):
        if not text:
            return
        line, column = self.line, self.column
        if column == len(line):
            if column > LONG_LINE:
                self.done.append(line)
                line, column = "", 0
            self.line = line + text
        elif ESCAPE in line or ESCAPE in text:
            # Characters and columns differ: what was there is replaced as a whole.
            self.line = line[:column] + text
        else:
            self.line = line[:column] + text + line[column + len(text) :]
        self.column = column + len(text)

    def text(self):
        if len(self.done) > 1:
            self.done = ["".join(self.done)]
        return "".join(self.done) + self.line


class Streams:
    """The streams of one list of outputs: a piece joins the last output if that is the same stream, as in Jupyter.

    It still does after the cell's end, when a thread prints on. Until then what is shown is only in the screen.
    """

    def __init__(self, node):
        # The notebook's own kind of dictionary, so that nbclient finds an output's attributes.
        self.node = node
        self.output = self.screen = None
        self.column = 0

    def write(self, outputs, content):
        """Writes a message's content; the lines that it completed, for the log."""
        lines = []
        if not outputs or outputs[-1] is not self.output or self.output["name"] != content["name"]:
            lines = self.close()
            self.output, self.screen = self.node(output_type="stream", name=content["name"], text=""), Screen()
            outputs.append(self.output)
        elif self.screen is None:
            self.screen = Screen.over(self.output["text"], self.column)
        return lines + self.screen.feed(content["text"])

    def settle(self):
        """Puts what the screen shows into its output: before a save, and before what is stored is counted."""
        if self.screen is not None:
            self.output["text"] = self.screen.text()

    def close(self):
        """Keeps the text once and no more; the line that is not completed, for the log."""
        if self.screen is None:
            return []
        self.settle()
        line, self.column, self.screen = self.screen.line, self.screen.column, None
        return [line] if line else []
