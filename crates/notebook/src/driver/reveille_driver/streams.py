"""What a cell writes to stdout and stderr, as Jupyter shows it: pieces joined, carriage returns and backspaces applied."""

import re

CONTROL = re.compile(r"[\n\r\b]")
ESCAPE = "\x1b"
# A line of more characters is no progress bar: what is there stays, so that appending to it costs what is appended.
LONG_LINE = 1 << 16


class Screen:
    """One stream output: lines that are complete, and the line that is being written over."""

    def __init__(self):
        self.done = []
        self.line = ""
        self.column = 0

    def feed(self, text):
        """Writes; returns what lines were completed by it, for the log."""
        before = len(self.done)
        start = 0
        for control in CONTROL.finditer(text):
            self.put(text[start : control.start()])
            start = control.end()
            mark = control.group()
            if mark == "\n":
                self.done.append(self.line + "\n")
                self.line, self.column = "", 0
            elif mark == "\r":
                self.column = 0
            else:
                self.column = max(self.column - 1, 0)
        self.put(text[start:])
        return self.done[before:]

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
