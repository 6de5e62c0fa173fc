//! What a cell shows otherwise than by printing: displays that change later, the pager, widgets, threads that outlive their cell.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs;

use reveille_notebook::{KernelEnd, Verdict};
use serde_json::{Value, json};
use support::{Bench, appears, notebook, saved};

const BEGUN: &str = "open('begun', 'w').close()";

/// Messages of a cell that has ended: `late` sends them as a thread of the cell does.
const LATE: &str = "kernel = get_ipython().kernel\n\
    parent = kernel.get_parent()\n\
    def late(kind, **content):\n    \
        kernel.session.send(kernel.iopub_socket, kind, content, parent=parent, ident=b'late')\n";

/// An Output widget, as ipywidgets makes it, shown by the cell; `to` captures what is printed, or ends that.
const WIDGET: &str = "import comm\n\
    from IPython.display import display\n\
    state = {'_model_name': 'OutputModel', '_model_module': '@jupyter-widgets/output', 'outputs': [], 'msg_id': ''}\n\
    out = comm.create_comm(target_name='jupyter.widget', data={'state': state, 'buffer_paths': []})\n\
    def say(**state): out.send({'method': 'update', 'state': state, 'buffer_paths': []})\n\
    def to(on): say(msg_id=get_ipython().kernel.get_parent()['header']['msg_id'] if on else '')\n\
    view = {'model_id': out.comm_id, 'version_major': 2, 'version_minor': 0}\n\
    display({'application/vnd.jupyter.widget-view+json': view, 'text/plain': 'Output' + '()'}, raw=True)\n";

async fn succeeds(bench: &Bench) {
    let mut execution = bench.start();
    assert_eq!(execution.wait().await, Verdict::Succeeded, "{}", bench.output("log.txt"));
    assert_eq!(execution.html_error(), None);
}

fn text(value: &Value) -> String {
    value.as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect()
}

/// The first cell was saved when the second changes what it shows: the file held the old one, and the page the new one.
#[tokio::test]
async fn a_display_that_a_later_cell_updates_is_the_same_in_both_outputs() {
    let wait = "import time\n\
        while 'old' + 'shown' not in open('../out {x}/output.ipynb', encoding='utf-8').read(): time.sleep(0.05)\n";
    let update = format!("{wait}shown.update('new' + 'shown')");
    let again = format!("{wait}display('new' + 'shown', display_id='k')");
    for (first, second) in [
        ("shown = display('old' + 'shown', display_id=True)", update.as_str()),
        ("display('old' + 'shown', display_id='k')", again.as_str()),
    ] {
        let bench = Bench::of_cells(&[first, second]);
        succeeds(&bench).await;
        let output = bench.output_notebook()["cells"][0]["outputs"][0]["data"]["text/plain"].clone();
        assert_eq!(text(&output), "'newshown'", "{second}");
        let page = bench.output("output.html");
        assert!(page.contains("newshown") && !page.contains("oldshown"), "{second}");
    }
}

/// One update changes every place, and each takes its room.
#[tokio::test]
async fn a_display_is_bounded_in_all_its_places() {
    let many = "for _ in range(4): display('a', display_id='k')";
    let update = "from IPython.display import update_display\nupdate_display('y' * 14_000_000, display_id='k')";
    let bench = Bench::of_cells(&[many, update]);
    succeeds(&bench).await;
    for name in ["output.ipynb", "output.html"] {
        let length = fs::metadata(bench.job.output_dir.join(name)).unwrap().len();
        assert!(length < 40 << 20, "{name} has {length} bytes");
    }
    assert!(bench.output("output.ipynb").contains("is left out by Reveille"));
    // One that takes the place of another as large needs no room.
    let update = "shown = display('a', display_id=True)\nfor n in range(3): shown.update(str(n) * 20_000_000)";
    let bench = Bench::of_cells(&[update]);
    succeeds(&bench).await;
    let output = bench.output("output.ipynb");
    assert!(output.contains("22222") && !output.contains("is left out by Reveille"));
}

#[tokio::test]
async fn what_the_pager_shows_is_an_output() {
    let cell = "def documented():\n    '''What it ' + 'does.'''\nprint('before')";
    let long =
        "get_ipython().payload_manager.write_payload({'source': 'page', 'data': {'text/plain': 'y' * 60_000_000}})";
    let bench = Bench::of_cells(&[cell, "documented?", long, "print('last')"]);
    succeeds(&bench).await;
    let cells = bench.output_notebook()["cells"].clone();
    let shown = text(&cells[1]["outputs"][0]["data"]["text/plain"]);
    assert!(shown.contains("Docstring:") && shown.contains("What it"), "{shown}");
    assert!(bench.output("output.html").contains("Docstring:"));
    assert!(bench.output("log.txt").contains("Docstring:"));
    assert!(text(&cells[2]["outputs"][0]["text"]).contains("is left out by Reveille"));
}

#[tokio::test]
async fn what_a_thread_prints_after_its_cell_joins_the_cells_output() {
    let first = format!("{LATE}import sys\nprint('one 1%', end='\\r')\nsys.stdout.flush()");
    let second = "print('kept', flush=True)\n\
        late('stream', name='stdout', text='one 2%')\n\
        late('stream', name='stdout', text=' done\\n')\n\
        late('stream', name='stderr', text='bad\\n')";
    // Cleared in the first cell, when something takes its place; not in the one that runs.
    let third = "print('and', flush=True)\nlate('clear_output', wait=True)\nprint('this', flush=True)\n\
        late('stream', name='stdout', text='instead\\n')";
    let bench = Bench::of_cells(&[&first, second]);
    succeeds(&bench).await;
    let cells = bench.output_notebook()["cells"].clone();
    let first_outputs = json!([
        {"output_type": "stream", "name": "stdout", "text": ["one 2% done\n"]},
        {"output_type": "stream", "name": "stderr", "text": ["bad\n"]}
    ]);
    assert_eq!(cells[0]["outputs"], first_outputs);
    assert_eq!(cells[1]["outputs"][0]["text"], json!(["kept\n"]));

    let bench = Bench::of_cells(&[&first, second, third]);
    succeeds(&bench).await;
    let cells = bench.output_notebook()["cells"].clone();
    assert_eq!(cells[0]["outputs"], json!([{"output_type": "stream", "name": "stdout", "text": ["instead\n"]}]));
    assert_eq!(cells[2]["outputs"][0]["text"], json!(["and\n", "this\n"]));
}

/// However the run ends: what was printed into the widget is in the log, in the notebook and on the page.
#[tokio::test]
async fn what_is_printed_into_an_output_widget_is_nowhere_lost() {
    let print = format!(
        "{WIDGET}to(True)\nfor n in range(3): print(f'\\rstep {{n}}', end='', flush=True)\nprint(' in' + 'side', flush=True)\n"
    );
    let saved = saved("waited").replace("print(", "to(True); print(");
    let stop = format!("import os, signal\n{saved}os.kill(os.getppid(), signal.SIGKILL)\ntime.sleep(600)");
    let died = format!("import os, signal\n{saved}os.kill(os.getpid(), signal.SIGKILL)");
    for end in ["to(False)\nprint('out' + 'side')", "to(False)\n1 / 0", "to(False)\nexit()", &died, &stop] {
        let bench = Bench::of_cells(&[&print, end, "print('last')"]);
        let verdict = bench.run().await;
        match verdict {
            Verdict::KernelDied { how, .. } => assert_eq!(how, KernelEnd::Killed),
            Verdict::Succeeded | Verdict::NotebookFailed(_) | Verdict::EngineBroken { .. } => {}
            other => panic!("{end}: {other:?}"),
        }
        widget_is_kept(&bench, end);
    }
    let bench = Bench::of_cells(&[&print, &format!("{BEGUN}\nimport time\ntime.sleep(600)")]);
    let mut execution = bench.start();
    appears(&bench.job.working_dir.join("begun")).await;
    execution.cancel().await;
    widget_is_kept(&bench, "cancelled");
}

fn widget_is_kept(bench: &Bench, end: &str) {
    let states = bench.output_notebook()["metadata"]["widgets"]["application/vnd.jupyter.widget-state+json"].clone();
    let state = states["state"].as_object().unwrap().values().next().unwrap()["state"].clone();
    let held = state["outputs"][0]["text"].as_str().unwrap();
    assert!(held.starts_with("step 2 inside\n"), "{end}: {held:?}");
    let page = bench.output("output.html");
    let body = &page[page.find("<body").unwrap()..];
    assert!(body.contains("step 2 inside") && !body.contains("Output()"), "{end}: {body}");
    assert!(bench.output("log.txt").contains("step 2 inside"), "{end}");
}

#[tokio::test]
async fn an_output_widget_within_others_is_shown_and_the_cell_may_read_it() {
    let nested = "box = {'_model_name': 'VBoxModel', '_model_module': '@jupyter-widgets/controls', 'children': ['IPY_MODEL_' + out.comm_id]}\n\
        box = comm.create_comm(target_name='jupyter.widget', data={'state': box, 'buffer_paths': []})\n\
        view = {'model_id': box.comm_id, 'version_major': 2, 'version_minor': 0}\n\
        display({'application/vnd.jupyter.widget-view+json': view, 'text/plain': 'V' + 'Box()'}, raw=True)\n\
        say(children=['IPY_MODEL_' + box.comm_id])\n";
    let heard =
        "heard = []\nout.on_msg(lambda message: heard.append(message['content']['data']['state']['outputs']))\n";
    let first = format!("{WIDGET}{heard}to(True)\nprint('in' + 'side', flush=True)\nto(False)\n{nested}");
    let bench = Bench::of_cells(&[
        &first,
        "assert heard == [[{'output_type': 'stream', 'name': 'stdout', 'text': 'in' + 'side\\n'}]], heard",
    ]);
    succeeds(&bench).await;
    let page = bench.output("output.html");
    let body = &page[page.find("<body").unwrap()..];
    assert_eq!((body.matches("inside").count(), body.matches("VBox()").count()), (2, 1), "{body}");
}

/// The state of widgets is stored with the notebook: it counts as any output does.
#[tokio::test]
async fn widget_state_is_bounded() {
    let states = "for n in range(3): say(**{f'value{n}': 'y' * 14_000_000})\n";
    let buffers = "for n in range(3):\n    \
        data = {'method': 'update', 'state': {}, 'buffer_paths': [[f'b{n}']]}\n    \
        out.send(data, buffers=[b'y' * 11_000_000])\n";
    let printed = "to(True)\nfor n in range(4): print('y' * 11_000_000)\nto(False)\n";
    for bring in [states, buffers, printed] {
        let bench = Bench::of_cells(&[&format!("{WIDGET}{bring}")]);
        succeeds(&bench).await;
        for name in ["output.ipynb", "output.html"] {
            let length = fs::metadata(bench.job.output_dir.join(name)).unwrap().len();
            assert!(length < 40 << 20, "{bring}: {name} has {length} bytes");
        }
        assert!(bench.output("output.ipynb").contains("is left out by Reveille"), "{bring}");
    }
    // A value that takes the place of another needs no room, and what is not stored needs none at all.
    let again = "for n in range(3): say(value=str(n) * 20_000_000)\n\
        out.send({'method': 'custom', 'content': {}}, buffers=[b'y' * 40_000_000])\n";
    let bench = Bench::of_cells(&[&format!("{WIDGET}{again}")]);
    succeeds(&bench).await;
    let output = bench.output("output.ipynb");
    assert!(output.contains("22222") && !output.contains("is left out by Reveille"));
}

/// The tag hides what the cell shows, and not that the notebook failed in it.
#[tokio::test]
async fn a_tag_never_hides_why_the_notebook_failed() {
    for (tag, verb) in [("remove-cell", "shown"), ("remove_output", "shown"), ("remove-input", "shown")] {
        let mut source = notebook(&[&format!("print('se' + 'cret {verb}')\nraise ValueError('the rea' + 'son')")]);
        source["cells"][0]["metadata"] = json!({"tags": [tag]});
        let bench = Bench::of(&source);
        let Verdict::NotebookFailed(failed) = bench.run().await else { panic!("{tag}") };
        assert_eq!(failed.evalue, "the reason");
        let page = bench.output("output.html");
        assert!(page.contains("the reason"), "{tag}");
        assert_eq!(page.contains("secret shown"), tag == "remove-input", "{tag}");
    }
}
