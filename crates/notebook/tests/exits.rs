//! How cells end a notebook: as `sys.exit` would, whatever is called; and by errors that the kernel's reply does not tell.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs;

use reveille_notebook::{CellFailure, Verdict};
use serde_json::{Value, json};
use support::{Bench, code_cell, kernel, notebook};

const AFTER: &str = "open('reached', 'w').close()";

async fn failure(bench: &Bench) -> CellFailure {
    match bench.run().await {
        Verdict::NotebookFailed(failure) => failure,
        other => panic!("{other:?}: {}", bench.output("log.txt")),
    }
}

fn reached(bench: &Bench) -> bool {
    bench.job.working_dir.join("reached").exists()
}

/// docs/output.md has the same table.
#[tokio::test]
async fn an_exit_with_a_status_or_a_text_fails_the_notebook_as_sys_exit_does() {
    for (end, text) in [
        ("exit(1)", "1"),
        ("quit('no data')", "no data"),
        ("exit('')", ""),
        // The kernel cannot send it: what JSON does not hold.
        ("exit(ValueError('no rows'))", "no rows"),
        // IPython raises nothing that could be handled.
        ("try: exit(3)\nexcept SystemExit: pass", "3"),
        ("import sys\nsys.exit(4)", "4"),
        // Without brackets, as IPython takes it in a line of its own.
        ("", "2"),
        // Texts that look like a status of success.
        ("import sys\nsys.exit('0')", "0"),
    ] {
        let cell = if end.is_empty() { "exit 2".to_owned() } else { format!("print('one')\n{end}") };
        let bench = Bench::of_cells(&[&cell, AFTER]);
        let failed = failure(&bench).await;
        assert_eq!((failed.ename.as_str(), failed.evalue.as_str()), ("SystemExit", text), "{end}");
        assert_eq!(failed.cell_index, Some(0));
        assert!(!reached(&bench), "{end}");
        let output = bench.output_notebook();
        assert_eq!(output["metadata"]["papermill"]["exception"], json!(true), "{end}");
        assert!(bench.output("output.html").contains("SystemExit"), "{end}: the cell shows it");
    }
}

#[tokio::test]
async fn an_exit_without_a_status_succeeds() {
    for end in [
        "exit(0)",
        "exit(None)",
        "exit(keep_kernel=True)",
        "quit(False)",
        "class Enough(SystemExit): pass\nraise Enough",
        "raise SystemExit(0)",
    ] {
        let bench = Bench::of_cells(&[&format!("print('one')\n{end}"), AFTER]);
        assert_eq!(bench.run().await, Verdict::Succeeded, "{end}: {}", bench.output("log.txt"));
        assert!(!reached(&bench), "{end}");
        let status = bench.output_notebook()["cells"][0]["metadata"]["papermill"]["status"].clone();
        assert_eq!(status, "completed", "{end}");
    }
}

#[tokio::test]
async fn an_exit_that_is_handled_or_expected_ends_nothing() {
    let mut source = notebook(&["import sys\ntry: sys.exit(3)\nexcept SystemExit: pass", "exit(3)", AFTER]);
    source["cells"][1]["metadata"] = json!({"tags": ["raises-exception"]});
    let bench = Bench::of(&source);
    assert_eq!(bench.run().await, Verdict::Succeeded, "{}", bench.output("log.txt"));
    assert!(reached(&bench));
}

/// IPython's magics show the error and say that the cell is well. Papermill looks at what is shown, and fails.
#[tokio::test]
async fn an_error_that_a_magic_only_shows_fails_the_notebook() {
    for (cell, name, text) in [
        ("%run bad.py", "ValueError", "no rows"),
        ("run bad.py", "ValueError", "no rows"),
        ("get_ipython().run_line_magic('run', 'bad.py')", "ValueError", "no rows"),
        ("%run ends.py", "SystemExit", "3"),
        ("%%capture\n1 / 0", "ZeroDivisionError", "division by zero"),
        // As `%%time` of IPython 8 does it.
        ("%time get_ipython().run_cell('1 / 0')", "ZeroDivisionError", "division by zero"),
    ] {
        let bench = Bench::of_cells(&[cell, AFTER]);
        fs::write(bench.job.working_dir.join("bad.py"), "raise ValueError('no rows')").unwrap();
        fs::write(bench.job.working_dir.join("ends.py"), "import sys\nsys.exit(3)").unwrap();
        let failed = failure(&bench).await;
        assert_eq!((failed.cell_index, failed.ename.as_str(), failed.evalue.as_str()), (Some(0), name, text), "{cell}");
        assert!(!reached(&bench), "{cell}");
    }
    let mut source = notebook(&["%run bad.py", AFTER]);
    source["cells"][0]["metadata"] = json!({"tags": ["raises-exception"]});
    let bench = Bench::of(&source);
    fs::write(bench.job.working_dir.join("bad.py"), "raise ValueError('no rows')").unwrap();
    assert_eq!(bench.run().await, Verdict::Succeeded);
    assert!(reached(&bench));
}

/// ipykernel cannot send what JSON does not hold, and sends nothing then: the run waited for its limit.
#[tokio::test]
async fn a_reply_that_never_comes_fails_its_cell() {
    let cell = "page = {'source': 'page', 'data': {'text/plain': object()}}\n\
                get_ipython().payload_manager.write_payload(page)";
    let bench = Bench::of_cells(&[cell, AFTER]);
    let failed = failure(&bench).await;
    assert_eq!((failed.cell_index, failed.ename.as_str()), (Some(0), ""));
    assert!(failed.evalue.contains("did not say how it ended"), "{failed:?}");
    assert!(!reached(&bench));
}

/// A kernel as bash_kernel: one stream for all that is printed, and an error whose text is the status.
const SHELL: &str = "from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel
class Shell(Kernel):
    implementation, implementation_version, banner = 'shell', '1', ''
    language_info = {'name': 'bash', 'mimetype': 'text/x-sh', 'file_extension': '.sh'}
    def do_execute(self, code, silent, **named):
        text = 'first line\\nls: cannot access it\\n'
        self.send_response(self.iopub_socket, 'stream', {'name': 'stdout', 'text': text})
        if code == 'abort': return {'status': 'abort', 'execution_count': 1}
        error = {'ename': '', 'evalue': code, 'traceback': []}
        self.send_response(self.iopub_socket, 'error', error)
        return {**error, 'status': 'error', 'execution_count': 1}
IPKernelApp.launch_instance(kernel_class=Shell)";

#[tokio::test]
async fn a_shells_failure_has_its_status_and_the_last_lines() {
    let unsaid = ("abort", "", "the kernel does not say what failed");
    for (cell, text, shown) in [("2", "2", "exit status: 2"), ("odd", "odd", "odd"), unsaid] {
        let mut source = notebook(&[]);
        source["cells"] = Value::Array(vec![code_cell(cell)]);
        source["metadata"] = json!({"kernelspec": {"name": "shell", "display_name": "S", "language": "bash"}});
        let bench = Bench::of(&source);
        kernel(&bench, "other", "shell", "bash", &["-c", SHELL, "-f", "{connection_file}"], &json!({}));
        let failed = failure(&bench).await;
        assert_eq!((failed.ename.as_str(), failed.evalue.as_str()), ("", text));
        assert_eq!(failed.traceback_tail, ["first line", "ls: cannot access it"]);
        let page = bench.output("output.html");
        assert!(page.contains(&format!("{shown}</pre>")), "{page}");
    }
}

/// A kernel that answers `quit` as IRkernel: it asks for an exit, and says no status.
const R: &str = "from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel
class R(Kernel):
    implementation, implementation_version, banner = 'r', '1', ''
    language_info = {'name': 'R', 'mimetype': 'text/x-r-source', 'file_extension': '.r'}
    def do_execute(self, code, silent, **named):
        page = {'source': 'page', 'text/plain': 'from the ' + 'pager'}
        payload = [{'source': 'ask_exit', 'keepkernel': False}] if code.endswith('()') else [page]
        return {'status': 'ok', 'execution_count': 1, 'payload': payload, 'user_expressions': {}}
IPKernelApp.launch_instance(kernel_class=R)";

#[tokio::test]
async fn the_status_of_rs_quit_is_read_from_its_code() {
    for (define, fails_with) in [
        ("fail <- function() quit('no', status = 3)", Some("3")),
        ("fail <- function() { q('no') } # quit(status = 1)", None),
        ("fail <- function() q('no', 1L, FALSE)", Some("1")),
        ("print('quit(status = 1)'); fail <- function() quit(status = 0)", None),
        ("fail <- function() quit(status = code)", Some("quit() was called with a status")),
        ("fail <- function() if (ok) quit(status = 0) else quit(status = 1)", Some("quit() was called with a status")),
    ] {
        let mut source = notebook(&[]);
        source["cells"] = json!([code_cell(define), code_cell("fail()"), code_cell("never")]);
        source["metadata"] = json!({"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}});
        let bench = Bench::of(&source);
        kernel(&bench, "R", "ir", "R", &["-c", R, "-f", "{connection_file}"], &json!({}));
        match (bench.run().await, fails_with) {
            (Verdict::Succeeded, None) => {}
            (Verdict::NotebookFailed(failed), Some(text)) => {
                assert_eq!((failed.cell_index, failed.ename.as_str()), (Some(1), ""));
                assert!(failed.evalue.starts_with(text), "{define}: {failed:?}");
            }
            (verdict, _) => panic!("{define}: {verdict:?}"),
        }
        let cells = bench.output_notebook().to_string();
        assert!(cells.contains("from the pager"), "{define}: {cells}");
    }
}

/// A kernel as bash_kernel, which runs cells in a shell and starts another one where a cell ends it.
const SHELLS: &str = "# For bash_kernel
import os, subprocess
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel
class Shell(Kernel):
    implementation, implementation_version, banner = 'shell', '1', ''
    language_info = {'name': 'bash', 'mimetype': 'text/x-sh', 'file_extension': '.sh'}
    unasked = []
    def __init__(self, **named):
        super().__init__(**named)
        self.begin()
    def begin(self):
        pipes = {'stdin': subprocess.PIPE, 'stdout': subprocess.PIPE}
        self.bash = subprocess.Popen(['bash', '-s'], start_new_session=True, **pipes)
    def do_execute(self, code, silent, **named):
        self.bash.stdin.write((code + '\\necho done\\n').encode())
        self.bash.stdin.flush()
        if self.bash.stdout.readline() != b'done\\n':
            os.waitid(os.P_PID, self.bash.pid, os.WEXITED | os.WNOWAIT)
            # Nobody asks every shell that ended for its status.
            self.unasked.append(self.bash) if 'kill' in code or 'source' in code else self.bash.wait()
            self.begin()
        return {'status': 'ok', 'execution_count': 1, 'payload': [], 'user_expressions': {}}
IPKernelApp.launch_instance(kernel_class=Shell)";

#[tokio::test]
async fn an_exit_in_bash_ends_the_notebook_with_its_status() {
    for (cell, fails_with) in [
        ("exit 3", Some("3")),
        ("if true; then exit 4; fi # exit 0", Some("4")),
        ("exit", None),
        ("echo 'exit 3' >/dev/null; exit 0", None),
        ("code=3; exit $code", Some("the cell ended its shell")),
        ("kill -9 $$", Some("the cell ended its shell")),
        ("echo 'exit 0' > ends.sh\nsource ends.sh", Some("the cell ended its shell")),
    ] {
        let mut source = notebook(&[]);
        source["cells"] = json!([code_cell("(exit 5)"), code_cell(cell), code_cell("touch reached")]);
        source["metadata"] = json!({"kernelspec": {"name": "shell", "display_name": "S", "language": "bash"}});
        let bench = Bench::of(&source);
        kernel(&bench, "other", "shell", "bash", &["-c", SHELLS, "-f", "{connection_file}"], &json!({}));
        match (bench.run().await, fails_with) {
            (Verdict::Succeeded, None) => {}
            (Verdict::NotebookFailed(failed), Some(text)) => {
                assert_eq!((failed.cell_index, failed.ename.as_str()), (Some(1), ""), "{cell}");
                assert!(failed.evalue.starts_with(text), "{cell}: {failed:?}");
            }
            (verdict, _) => panic!("{cell}: {verdict:?}"),
        }
        assert!(!reached(&bench), "{cell}");
    }
}
