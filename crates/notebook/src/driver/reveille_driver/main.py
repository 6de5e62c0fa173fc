"""Execute one notebook with papermill's conventions, then export what came out of it as HTML.

Started by the Rust engine as `python -I -u -X utf8 driver spec.json`. It reads spec.json and leaves in the output
folder: output.ipynb (saved while the notebook runs), progress.json, result.json and output.html. result.json is the
only answer the engine reads; what stands on stdout and stderr is for people. The exit code says nothing, except
DISK_FULL: then result.json itself may not have been written.
"""

import gc
import sys

# Nothing that is loaded is ever garbage; looking for some meanwhile takes a seventh of the time. It is looked for once
# everything is loaded.
gc.disable()

# asyncio loads TLS where it is there. Nobody here speaks it, and it takes a tenth of the time until the kernel starts.
TLS = "ssl" in sys.modules
if not TLS:
    sys.modules["ssl"] = None
import asyncio  # noqa: E402

if not TLS:
    del sys.modules["ssl"]
import json  # noqa: E402
import logging  # noqa: E402
import os  # noqa: E402
import signal  # noqa: E402
import threading  # noqa: E402
import time  # noqa: E402
from pathlib import Path  # noqa: E402

from reveille_driver.spared import spare
from reveille_driver.texts import caused_by_full_disk, clean, write_atomically

# Exit code for "no space left": no file can carry that answer. The engine knows the same number.
DISK_FULL = 28


class Lines(logging.Formatter):
    """UTC times, and one line end for each line that a cell prints."""

    converter = time.gmtime

    def format(self, record):
        return super().format(record).rstrip("\n")


def main():
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(Lines("%(asctime)sZ %(message)s", "%Y-%m-%dT%H:%M:%S"))
    logging.basicConfig(level=logging.INFO, handlers=[handler])
    # A parameter may be an integer of any length.
    if hasattr(sys, "set_int_max_str_digits"):
        sys.set_int_max_str_digits(0)
    spec = json.loads(Path(sys.argv[1]).read_text("utf-8"))
    spare(spec["sanitize_html"])
    output_dir = Path(spec["output_dir"])
    try:
        if spec["mode"] == "finish":
            finish(spec, output_dir)
        else:
            execute(spec, output_dir)
    except OSError as error:
        if not caused_by_full_disk(error):
            raise
        print(error, file=sys.stderr)
        sys.exit(DISK_FULL)


def finish(spec, output_dir):
    """After a driver that was killed: what it could not mark is marked, and the page is made."""
    from reveille_driver.export import export_html, mark_unfinished

    all_is_loaded()
    if spec["unfinished"]:
        mark_unfinished(output_dir, spec["unfinished"])
    tell(export_html(spec, output_dir))


def all_is_loaded():
    gc.freeze()
    gc.enable()


def tell(html_error):
    if html_error is not None:
        logging.warning("output.html was not made: %s", html_error)
    return html_error


def execute(spec, output_dir):
    result_file = str(output_dir / "result.json")
    heed_interrupts()
    # Until the loop runs, nothing is lost by ending at once; the engine ends the processes.
    signal.signal(signal.SIGTERM, lambda *_: ended_before_the_loop(result_file))
    answer, run, loop = answered(spec, output_dir)
    write_atomically(result_file, json.dumps(answer))
    if answer["kind"] == "interrupted":
        return  # the engine is waiting for us to end; it has the export done afterwards
    # From here on the answer stands: a limit that is reached ends the export, and no more.
    loop.remove_signal_handler(signal.SIGTERM)
    signal.signal(signal.SIGTERM, lambda *_: os._exit(0))
    if run is None or run.page is None:
        return  # no cell was executed: there is nothing to show
    ending = begin_end(loop, run)
    page = run.page.page()
    # A cell may have removed this process's folder; it was made anew, and what makes the page asks for the one we are in.
    os.chdir(output_dir)
    html_error = tell(run.page.export.export_html(spec, output_dir, run.record and run.record.nb, page))
    if html_error is not None:
        write_atomically(result_file, json.dumps({**answer, "html_error": html_error}))
    ending.join()


def heed_interrupts():
    """A shell starts what is behind `&` with these ignored, and a kernel would inherit that: nothing could interrupt it."""
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGQUIT: signal.SIG_DFL}
    for number, handler in usual.items():
        if signal.getsignal(number) == signal.SIG_IGN:
            signal.signal(number, handler)


def ended_before_the_loop(result_file):
    write_atomically(result_file, json.dumps({"kind": "interrupted", "cell_index": None, "traceback_tail": []}))
    os._exit(0)


def answered(spec, output_dir):
    """The answer, and what is left to end. Raises nothing but a full disk that even the answer cannot pass."""
    run = None
    loop = asyncio.new_event_loop()
    asyncio.set_event_loop(loop)
    try:
        from reveille_driver.run import Ended, Run

        try:
            run = Run(spec, output_dir)
            run.prepare()
        except Ended as ended:
            return ended.answer, None, loop
        run.begin_page = lambda: Preparing(spec["sanitize_html"]).begun()
        loop.add_signal_handler(signal.SIGTERM, run.stop.set)
        return loop.run_until_complete(run.execute()), run, loop
    except ImportError as error:
        message = clean(f"papermill cannot be imported: {error}")
        return {"kind": "engine_broken", "message": message, "not_importable": True}, run, loop
    except Exception as error:
        return unexpected(error), run, loop


def unexpected(error):
    """An answer by the error's type; its text may hold anything, and decides nothing."""
    logging.error("the notebook could not be executed", exc_info=error)
    text = clean(f"{type(error).__name__}: {error}")
    if caused_by_full_disk(error):
        return {"kind": "disk_full", "message": text}
    if isinstance(error, OSError):
        return {"kind": "output_lost", "message": text}
    return {"kind": "engine_broken", "message": text}


def begin_end(loop, run):
    """Ends the kernel while the page is made."""
    ending = threading.Thread(target=lambda: loop.run_until_complete(run.process.end()), daemon=True)
    ending.start()
    return ending


class Preparing(threading.Thread):
    """While the kernel starts nobody needs this process: the exporter is loaded and its templates compiled meanwhile."""

    def __init__(self, sanitizes):
        super().__init__(daemon=True)
        # Here, and not in the thread: the first cell may remove the folder that it stands in.
        from reveille_driver import export

        self.export = export
        self.sanitizes = sanitizes
        self.made = None

    def begun(self):
        self.start()
        return self

    def run(self):
        try:
            self.made = self.export.prepared(self.sanitizes)
        except Exception:  # told by the export, where it matters
            pass
        finally:
            all_is_loaded()

    def page(self):
        """The page that is prepared, or None."""
        self.join()
        return self.made
