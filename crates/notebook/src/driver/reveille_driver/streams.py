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
