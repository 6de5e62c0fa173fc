//! The driver from inside: changed before it runs a notebook, or looked at while it does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::fs;

use reveille_notebook::Verdict;
use serde_json::json;
use support::changed::{beside_the_driver, changed_driver, told};
use support::{Bench, notebook};

/// ZeroMQ throws away what finds no room on its way: the end of the output, and the word that the cell has ended.
#[tokio::test]
async fn nothing_that_a_kernel_sends_is_lost_while_the_driver_is_busy() {
    let cell = "import time\nfor i in range(5000):\n    print(f'\\r{i}', end='', flush=True)\n    time.sleep(0.001)\n\
                open('../out {x}/sent', 'w')\nprint(' all')";
    let bench = Bench::of_cells(&[cell]);
    let script = "import os, time\n\
        from reveille_driver import main, run\n\
        start = run.Run.start_once\n\
        async def started(self, sockets):\n    await start(self, sockets)\n    take = self.client.take\n    \
        def slow(message, cell, index):\n        \
        while 'sent' in cell['source'] and not os.path.exists('sent'): time.sleep(0.1)\n        \
        take(message, cell, index)\n    self.client.take = slow\n\
        run.Run.start_once = started\n\
        main.main()";
    let told = changed_driver(&bench, script);
    assert!(!told.contains("did not end within"), "{told}");
    assert_eq!(bench.output_notebook()["cells"][1]["outputs"][0]["text"], json!(["4999 all\n"]));
}

/// The page and the notebook's file are written in pieces. They are what nbconvert and nbformat make of the whole.
/// A request that is sent while an answer arrives takes away the only word of it. Without looking, the driver waited for ever: at
/// the limit, when it interrupts a cell and sends a request at once.
#[test]
fn an_answer_that_arrives_while_something_is_sent_is_heard() {
    let script = "
import asyncio, time, zmq, zmq.asyncio
from jupyter_client.channels import AsyncZMQSocketChannel
from jupyter_client.session import Session
from reveille_driver.exchange import next_message

async def main():
    session, kernel = Session(key=b''), zmq.Context().socket(zmq.ROUTER)
    port = kernel.bind_to_random_port('tcp://127.0.0.1')
    socket = zmq.asyncio.Context().socket(zmq.DEALER)
    socket.identity = b'driver'
    socket.connect(f'tcp://127.0.0.1:{port}')
    session.send(socket, 'first')
    kernel.recv_multipart()
    waiting = asyncio.ensure_future(next_message(AsyncZMQSocketChannel(socket, session)))
    await asyncio.sleep(0.2)
    session.send(kernel, 'answer', ident=b'driver')
    # The loop does not turn meanwhile.
    while not socket.underlying or not zmq.Socket.shadow(socket.underlying).get(zmq.EVENTS) & zmq.POLLIN:
        time.sleep(0.01)
    session.send(socket, 'second')
    print((await asyncio.wait_for(waiting, 60))['msg_type'], file=sys.stderr)

asyncio.run(main())
";
    assert!(told(&mut beside_the_driver(script, &[])).contains("answer"));
}

#[tokio::test]
async fn what_is_written_in_pieces_is_what_was_made_whole() {
    let bench = Bench::of_cells(&[
        "print('a < b & \\'c\\' \"d\"\\n' * 20_000)",
        "print('\\x1b[31mred\\x1b[0m plain <i> \\x1b[1;32mbold\\n' * 50 + '\\x1b[m')",
        "print('\\x0b\\x1c\\u2028 \\r\\n' + 'x' * 3_000_000)\n{'a': '<b>'}",
    ]);
    let script = "import json\n\
        from reveille_driver import main\n\
        main.main()\n\
        import nbformat\n\
        from reveille_driver import export\n\
        text = open('output.ipynb', encoding='utf-8').read()\n\
        parsed = json.loads(text)\n\
        expected = json.dumps(parsed, ensure_ascii=False, indent=1, sort_keys=True, separators=(',', ': ')) + chr(10)\n\
        assert text == expected, 'the layout of the notebook'\n\
        whole = export.exporter(False).from_notebook_node(nbformat.reads(text, 4), resources={'metadata': {'name': 'some {y} notebook'}})[0]\n\
        page = open('output.html', encoding='utf-8').read()\n\
        assert 'bold' in page and 'reveille-' not in page\n\
        plain = lambda html: export.re.sub('</?span[^>]*>', '', html)\n\
        assert plain(page) == plain(whole), 'the page'";
    changed_driver(&bench, script);
}

/// The driver leaves half of nbconvert's libraries unloaded. Its page is what nbconvert makes with all of them.
#[tokio::test]
async fn the_page_is_the_one_that_nbconvert_makes_with_everything_that_it_loads() {
    let mut source = notebook(&[
        "print('<b>')\nx = \"it's & <i>\"  # \u{e9} \u{a0} \u{1F600}",
        "%%bash\necho \"<$HOME>\" '&amp;'",
        "def f(a: int = 3) -> str:\n    \"\"\"a\n\n    b\"\"\"\n    return f'{a!r:>{a}}\\n'",
        "# a form feed \u{c} and an escape \u{1b}[0m",
        "from IPython.display import HTML, Markdown, SVG, display\n\
         display(HTML('<div class=\"jp-Cell-inputWrapper\"><img src=\"data:,\"><img src=\"data:,\" alt=\"x\"></div><p>open'))\n\
         display(SVG('<svg xmlns=\"http://www.w3.org/2000/svg\"></svg>'), Markdown('# A\\n<i>b</i> ![c](data:,)'))\n1 / 3",
    ]);
    let cells = source["cells"].as_array_mut().unwrap();
    let text = "# A <u>b</u>\n\n```python\nx = '<'\n```\n![no words](data:,) $a < b$";
    cells.push(json!({"cell_type": "markdown", "metadata": {}, "source": text}));
    let raw = "</div><div class=\"jp-OutputArea-output\">&#39; <script>a</script>";
    cells.push(json!({"cell_type": "raw", "metadata": {"raw_mimetype": "text/html"}, "source": raw}));
    let raw = "<div class=\"highlight\"><pre><span></span><b>a</pre></div>";
    cells.push(json!({"cell_type": "raw", "metadata": {}, "source": raw}));
    let bench = Bench::of(&source);
    assert_eq!(bench.run().await, Verdict::Succeeded, "{}", bench.output("log.txt"));
    let whole = bench.folder.path().join("whole.html");
    let script = "import sys\n\
        import nbformat\n\
        from nbconvert.exporters import HTMLExporter\n\
        from reveille_driver.export import TEMPLATE\n\
        notebook = nbformat.read(sys.argv[1], 4)\n\
        page = HTMLExporter(raw_template=TEMPLATE)\n\
        body = page.from_notebook_node(notebook, resources={'metadata': {'name': 'some {y} notebook'}})[0]\n\
        open(sys.argv[2], 'w', encoding='utf-8').write(body)";
    told(&mut beside_the_driver(script, &[&bench.job.output_dir.join("output.ipynb"), &whole]));
    let (whole, page) = (fs::read_to_string(whole).unwrap(), bench.output("output.html"));
    let differing = whole.lines().zip(page.lines()).find(|(whole, page)| whole != page);
    assert!(whole == page, "{differing:?}");
}

/// Selectors of CSS are read by the driver itself where they are simple: it finds what the library for them finds.
#[test]
fn elements_are_found_as_by_the_library_that_is_not_loaded() {
    let script = "import soupsieve\n\
        from bs4 import BeautifulSoup\n\
        from reveille_driver import spared\n\
        text = '<div class=\"a  b\"><p class=b><img><IMG ALT=1><div class=c><div class=a><img class=\"c\"/></div></div></p></div><img class=\"b c\">'\n\
        page = BeautifulSoup(text, features='html.parser')\n\
        ask = ['img:not([alt])', 'img', '.a', '.b .c', '.a div.c', '.a .a', 'div.a .c img', '.a.b', 'div > img', 'p, img', '#x', 'img.c:not([alt])']\n\
        for selector in ask:\n    \
        found, expected = spared.select(selector, page), soupsieve.select(selector, page)\n    \
        assert list(map(id, found)) == list(map(id, expected)), selector";
    told(&mut beside_the_driver(script, &[]));
}

/// What is loaded is no garbage, and is not looked at; what the page is made of is.
#[test]
fn a_driver_that_finishes_anothers_work_collects_its_garbage() {
    let script = "import gc, pathlib\n\
        from reveille_driver import export, main\n\
        export.export_html = lambda *_: None\n\
        assert not gc.isenabled()\n\
        main.finish({'unfinished': None}, pathlib.Path('.'))\n\
        assert gc.isenabled()";
    told(&mut beside_the_driver(script, &[]));
}

/// What is loaded before the first cell delays every run: nothing is added here without need.
#[tokio::test]
async fn little_is_loaded_before_the_first_cell() {
    let bench = Bench::of_cells(&["print('some output')\n1"]);
    let script = "import json\n\
        from reveille_driver import main, run\n\
        main.Preparing.run = lambda self: None\n\
        cells = run.Run.run_cells\n\
        async def seen(self):\n    names = {name.split('.')[0] for name, module in sys.modules.items() if type(module).__name__ not in ('NoneType', 'StandIn')}\n    \
        open(self.output_dir / 'loaded.json', 'w').write(json.dumps(sorted(names - sys.stdlib_module_names)))\n    await cells(self)\n\
        run.Run.run_cells = seen\n\
        main.main()\n\
        from nbformat import validator\n\
        assert not validator.validators, 'a compiled schema takes more memory than a small notebook'\n\
        assert not {'IPython.core', 'ipython_pygments_lexers'} <= set(sys.modules), 'lexers do not need all of IPython'\n\
        needless = ['bleach', 'soupsieve', 'jsonschema', 'nbconvert.exporters.pdf', 'nbconvert.postprocessors']\n\
        found = [name for name in needless if type(sys.modules.get(name)).__name__ not in ('NoneType', 'StandIn')]\n\
        assert not found, found";
    changed_driver(&bench, script);
    let loaded: Vec<String> = serde_json::from_str(&bench.output("loaded.json")).unwrap();
    let allowed = [
        "__main__",
        "backports",
        "colorama",
        "cython_runtime",
        "dateutil",
        "fastjsonschema",
        "ipykernel",
        "jupyter_client",
        "jupyter_core",
        "nbclient",
        "nbformat",
        "papermill",
        "platformdirs",
        "pygments",
        "reveille_driver",
        "six",
        "tornado",
        "traitlets",
        "typing_extensions",
        "zmq",
    ];
    let unexpected: Vec<&String> =
        loaded.iter().filter(|name| !name.starts_with('_') && !allowed.contains(&name.as_str())).collect();
    assert!(unexpected.is_empty(), "{unexpected:?} of {loaded:?}");
}
