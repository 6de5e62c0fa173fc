//! What a parameter is in the languages of kernels: a text is never code, and arrives as it was written.
//!
//! A text of an S3 event has whatever its uploader chose. bash reads its literals back here; R, Scala and Octave (for MATLAB's
//! characters) where they are installed. For the others the literal's text is held, to what the references say that are named in
//! the driver's languages.py.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::print_stderr, reason = "tests")]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;

use reveille_notebook::Verdict;
use serde_json::{Value, json};
use support::{Bench, IPYKERNEL, kernel, notebook, python};

/// What the tests' script prints.
fn script(arguments: [&str; 2]) -> String {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(python());
    command.args(["-B", "-X", "utf8"]).arg(folder.join("tests/support/literals.py")).arg(folder.join("src/driver"));
    let done = command.args(arguments).output().unwrap();
    assert!(done.status.success(), "{arguments:?}: {}", String::from_utf8_lossy(&done.stderr));
    String::from_utf8(done.stdout).unwrap().trim().to_owned()
}

/// The cell of each language with these parameters.
fn cells(parameters: &Value) -> Value {
    serde_json::from_str(&script(["written", &parameters.to_string()])).unwrap()
}

#[test]
fn a_language_reads_back_what_was_passed_and_executes_nothing() {
    for (language, seed) in [("bash", "1"), ("bash", "2"), ("r", "1"), ("scala", "1"), ("matlab", "1")] {
        if language == "scala" && std::env::var_os("REVEILLE_TEST_SCALA").is_none() {
            eprintln!("skipped: Scala's compiler takes minutes on a busy machine; REVEILLE_TEST_SCALA=1 asks for it");
            continue;
        }
        let said = script([language, seed]);
        if said == "skipped" {
            assert_ne!(language, "bash", "it is on every machine");
            eprintln!("skipped: the program of {language} is not installed");
            continue;
        }
        assert!(said.parse::<usize>().unwrap() > 100, "{language}: {said}");
    }
}

/// Whatever interpolates in a language: `$` in Julia and `PowerShell`, the latter's backtick and its typographic quotes.
#[test]
fn what_a_text_holds_is_no_code() {
    let hostile = cells(&json!({"k": "$(run(`id`))\u{2019}'\"\\x"}));
    let expected = [
        ("julia", r#"k = "\$(run(`id`))\u2019'\"\\x""#),
        (".net-powershell", r#"$k = [regex]::Unescape('$(run(`id`))\u2019''"\\x')"#),
        ("bash", r"k=$'\044\050run\050\140id\140\051\051\342\200\231\047\042\134x'"),
        ("r", r#"k = "$(run(`id`))\u2019'\"\\x""#),
        ("scala", r#"val k = "$(run(`id`))\u2019'\"\\x""#),
        ("matlab", r#"k = string(char(['$(run(`id`))' 8217 '''"\x']));"#),
        (".net-csharp", r#"var k = "$(run(`id`))\u2019'\"\\x";"#),
        (".net-fsharp", r#"let k = "$(run(`id`))\u2019'\"\\x""#),
    ];
    for (language, line) in expected {
        assert_eq!(hostile[language].as_str().unwrap().lines().nth(1), Some(line), "{language}");
    }
    assert_eq!(hostile.as_object().unwrap().len(), expected.len(), "every language");
    let plain = cells(&json!({"k": "it's $x\\n", "o": {"$(id)": 1}}));
    assert_eq!(plain[".net-powershell"], "# Parameters\n$k = 'it''s $x\\n'\n$o = @{('$(id)') = 1}\n");
    assert_eq!(plain["julia"], "# Parameters\nk = \"it's \\$x\\\\n\"\no = Dict(\"\\$(id)\" => 1)\n");
}

/// Each literal is printable ASCII on one line: nothing ends it early, and no encoding changes it.
#[test]
fn a_literal_is_one_line_of_ascii() {
    let texts: Vec<String> = (1..=0x2fff).filter_map(char::from_u32).map(String::from).collect();
    let all = texts.concat() + "\u{feff}\u{1f600}\u{10ffff}";
    for (language, cell) in cells(&json!({"t": all, "l": texts[..400], "o": {"ü\n\u{2028}": 1}})).as_object().unwrap()
    {
        let cell = cell.as_str().unwrap();
        if language == "bash" {
            assert_eq!(cell, "lacking: an object");
            continue;
        }
        assert!(cell.bytes().all(|byte| byte == b'\n' || (b' '..=b'~').contains(&byte)), "{language}");
        assert_eq!(cell.lines().count(), 4, "{language}");
    }
}

/// A list whose items one type would change keeps them as they are; so does the only list in a list.
#[test]
fn numbers_in_a_list_stay_what_they_are() {
    let cells = cells(&json!({"l": [1, 2.5], "o": {"a": 1, "b": 2.5}, "n": [[1, 2]], "w": [1, 3_000_000_000_u64]}));
    let lines = |language: &str| cells[language].as_str().unwrap().lines().skip(1).collect::<Vec<_>>().join("\n");
    let julia = "l = Any[1, 2.5]\no = Dict{String, Any}(\"a\" => 1, \"b\" => 2.5)\nn = [[1, 2]]\nw = [1, 3000000000]";
    assert_eq!(lines("julia"), julia);
    assert!(lines("scala").starts_with("val l = Seq[Any](1, 2.5)\n"), "{}", lines("scala"));
    assert!(lines("scala").ends_with("val w = Seq(1L, 3000000000L)"), "{}", lines("scala"));
    assert!(lines(".net-csharp").starts_with("var l = new object[] { 1, 2.5 };\n"), "{}", lines(".net-csharp"));
    assert!(lines(".net-fsharp").starts_with("let l = [box (1); box (2.5)]\n"), "{}", lines(".net-fsharp"));
    assert!(lines(".net-powershell").contains("$n = @(,@(1, 2))\n"), "{}", lines(".net-powershell"));
}

/// A parameter may take the name of what another one is written with.
#[test]
fn a_name_that_the_literals_use_is_set_last() {
    let cells = cells(&json!({"Dict": 1, "a": {"b": 1}, "true": 2, "z": true}));
    assert_eq!(cells["julia"].as_str().unwrap().lines().last(), Some("Dict = 1"));
    assert_eq!(cells["matlab"].as_str().unwrap().lines().last(), Some("true = 2;"));
}

#[test]
fn what_a_language_cannot_hold_is_refused() {
    let deep = (0..60).fold(json!(1), |inner, _| json!([inner]));
    let refused = [
        ("r", json!({"x": ["a\0b"]}), "U+0000"),
        ("bash", json!({"x": "a\0b"}), "U+0000"),
        ("bash", json!({"x": [[1]]}), "a list in a list"),
        ("bash", json!({"x": {}}), "an object"),
        ("r", json!({"x": deep}), "nested too deeply"),
        (".net-csharp", json!({"x": [null]}), "null"),
        (".net-powershell", json!({"x": {"a": 1, "A": 2}}), "differ in case only"),
    ];
    for (language, parameters, why) in refused {
        let said = cells(&parameters)[language].clone();
        assert!(said.as_str().unwrap().starts_with("lacking: ") && said.as_str().unwrap().contains(why), "{said}");
    }
}

async fn refusal(language: &str, parameters: Value) -> String {
    let mut bench = Bench::of_cells(&["1"]);
    kernel(&bench, "other", "special", language, &IPYKERNEL, &json!({}));
    bench.job.kernel = Some("special".to_owned());
    bench.job.parameters = parameters.as_object().unwrap().clone();
    match bench.run().await {
        Verdict::ParametersRefused { reason } => reason,
        other => panic!("{language}: {other:?}"),
    }
}

#[tokio::test]
async fn a_name_that_the_language_lacks_is_refused() {
    // papermill would set `day`, and both cases of one name.
    assert!(refusal("R", json!({"_day": 1})).await.contains("_day begins with _, as no name does in R"));
    let said = refusal("PowerShell", json!({"day": 1, "Day": 2})).await;
    assert!(said.contains("Day and day are one variable") || said.contains("day and Day are one variable"), "{said}");
    for (language, name) in
        [("bash", "RANDOM"), ("bash", "PROMPT_COMMAND"), ("PowerShell", "Home"), ("julia", "__"), ("matlab", "_x")]
    {
        assert!(refusal(language, json!({name: 1})).await.contains(name), "{language}");
    }
}

/// A kernel of bash: it executes each cell behind all before it.
const SHELL: &str = "import subprocess
from ipykernel.kernelapp import IPKernelApp
from ipykernel.kernelbase import Kernel
class Shell(Kernel):
    implementation = language_version = implementation_version = banner = 'shell'
    language_info = {'name': 'bash', 'mimetype': 'text/x-sh', 'file_extension': '.sh'}
    before = ''
    def do_execute(self, code, silent, store_history=True, user_expressions=None, allow_stdin=False, **_):
        self.before += code + '\\n'
        text = subprocess.run(['bash', '-c', self.before], capture_output=True, text=True).stdout
        self.send_response(self.iopub_socket, 'stream', {'name': 'stdout', 'text': text})
        return {'status': 'ok', 'execution_count': 1, 'payload': [], 'user_expressions': {}}
IPKernelApp.launch_instance(kernel_class=Shell)";

/// The kernel executes the cell: a notebook whose kernel was changed still names the language of the old one.
#[tokio::test]
async fn the_cell_is_in_the_language_of_the_kernel() {
    let mut source = notebook(&["printf '<%s>' \"$x\""]);
    source["metadata"] = json!({"kernelspec": {"name": "shell"}, "language_info": {"name": "python"}});
    let mut bench = Bench::of(&source);
    let program = bench.folder.path().join("shell_kernel.py");
    fs::write(&program, SHELL).unwrap();
    kernel(&bench, "other", "shell", "bash", &[program.to_str().unwrap(), "-f", "{connection_file}"], &json!({}));
    bench.job.parameters.insert("x".to_owned(), json!("$(touch pwned)`touch pwned`'\"ü\n\u{2019}"));
    assert_eq!(bench.run().await, Verdict::Succeeded, "{}", bench.output("log.txt"));
    let output = bench.output_notebook();
    let lines = output["cells"][1]["outputs"][0]["text"].as_array().unwrap();
    let shown: String = lines.iter().filter_map(Value::as_str).collect();
    assert_eq!(shown, "<$(touch pwned)`touch pwned`'\"ü\n\u{2019}>");
    assert!(!bench.job.working_dir.join("pwned").exists(), "the text was executed");
}

/// A specification that names another language than its kernel has: the cell is not executed.
#[tokio::test]
async fn a_kernel_that_says_another_language_executes_nothing() {
    let mut bench = Bench::of_cells(&["open('ran', 'w')"]);
    kernel(&bench, "other", "special", "julia", &IPYKERNEL, &json!({}));
    bench.job.kernel = Some("special".to_owned());
    bench.job.parameters.insert("x".to_owned(), json!(1));
    let Verdict::ParametersRefused { reason } = bench.run().await else { panic!("it ran") };
    assert!(reason.contains("written in julia") && reason.contains("its language is python"), "{reason}");
    assert!(!bench.job.working_dir.join("ran").exists(), "no cell is executed");
}

/// R's own kernel, where `REVEILLE_TEST_IRKERNEL` says that Jupyter has it as `ir` (Debian: r-cran-irkernel).
#[tokio::test]
async fn the_kernel_of_r_gets_what_was_passed() {
    if std::env::var_os("REVEILLE_TEST_IRKERNEL").is_none() {
        eprintln!("skipped: REVEILLE_TEST_IRKERNEL does not say that there is R's kernel");
        return;
    }
    let mut source = notebook(&["cat(x, names(o), o[[1]][[2]], is.null(n), from, sep = '|')"]);
    source["metadata"] = json!({"kernelspec": {"name": "ir", "display_name": "R", "language": "R"}});
    let mut bench = Bench::of(&source);
    let text = "Grüße \u{1f600} $x `id` \\ \"'\u{2028}\t!";
    bench.job.parameters =
        json!({"x": text, "o": {"ü": [1, "日"]}, "n": null, "from": -0.5}).as_object().unwrap().clone();
    assert_eq!(bench.run().await, Verdict::Succeeded, "{}", bench.output("log.txt"));
    let output = bench.output_notebook();
    let lines = output["cells"][1]["outputs"][0]["text"].as_array().unwrap();
    let shown: String = lines.iter().filter_map(Value::as_str).collect();
    assert_eq!(shown, format!("{text}|ü|日|TRUE|-0.5"));
}
