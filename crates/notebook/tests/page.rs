//! output.html of a run that asks for a sanitized page: what data brought into the outputs runs nowhere, and ordinary outputs
//! are shown.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use reveille_notebook::Verdict;
use serde_json::{Value, json};
use support::{Bench, notebook};

const PICTURE: &str =
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg==";

/// A cell that shows these data, as a library does.
fn showing(data: &Value, metadata: &Value) -> String {
    let told = json!({"data": data, "metadata": metadata}).to_string();
    format!(
        "import json\nfrom IPython.display import publish_display_data\npublish_display_data(**json.loads({told:?}))"
    )
}

async fn page(cells: &[String], sanitize: bool) -> String {
    let cells: Vec<&str> = cells.iter().map(String::as_str).collect();
    let mut source = notebook(&cells);
    for cell in source["cells"].as_array_mut().unwrap() {
        // What is looked at is what cells show, not their sources.
        cell["metadata"] = json!({"tags": ["remove-input"]});
    }
    let text = "# Heading\n\nA *text* <script>bad()</script> with a [link](javascript:bad())\n\n| a |\n|---|\n| 1 |";
    source["cells"].as_array_mut().unwrap().push(json!({"cell_type": "markdown", "metadata": {}, "source": text}));
    source["metadata"]["widgets"] = json!({"application/vnd.jupyter.widget-state+json": {
        "state": {"</script><script>bad()": {}, "abc": {}}, "version_major": 2, "version_minor": 0}});
    let mut bench = Bench::of_bytes(source.to_string().as_bytes());
    bench.job.sanitize_html = sanitize;
    let mut execution = bench.start();
    assert_eq!(execution.wait().await, Verdict::Succeeded);
    assert_eq!(execution.html_error(), None);
    bench.output("output.html")
}

/// Each of these runs in a full page, or loads something.
fn hostile() -> Vec<String> {
    let mut cells: Vec<String> = [
        "<script>bad()</script>",
        "<SCRIPT\t>bad()</SCRIPT >",
        "<p onclick='bad()'>text</p>",
        "<p/onmouseover=bad()>text</p>",
        "<a href='javascript:bad()'>a link</a>",
        "<a href='jAvA&#10;scr&Tab;ipt&colon;bad()'>a link</a>",
        "<a href='\u{1}javascript:bad()'>a link</a>",
        "<a href='data:text/html,<b onload=bad()>'>a link</a>",
        "<a href='vbscript:bad()'>a link</a>",
        "<svg onload=bad()><script>bad()</script></svg>",
        "<svg><a xlink:href='javascript:bad()'><text>x</text></a></svg>",
        "<img src=x onerror=bad()>",
        "<img src='https://example.com/bad()'>",
        "<img src='data:text/html,<b onload=bad()>'>",
        "<iframe srcdoc='<b onload=bad()>'></iframe><object data='javascript:bad()'></object><embed src='javascript:bad()'>",
        "<form action='javascript:bad()'><button formaction='javascript:bad()'>b</button></form>",
        "<meta http-equiv=refresh content='0;url=javascript:bad()'><base href='https://example.com/bad()'>",
        "<link rel=stylesheet href='https://example.com/bad()'><style>@import 'https://example.com/bad()';</style>",
        "<b style='background:url(https://example.com/bad())'>b</b>",
        "<details open ontoggle=bad()>d</details>",
        "<math><mtext><table><mglyph><style><!--</style><img title='--&gt;&lt;img src=1 onerror=bad()&gt;'>",
        "<noscript><p title='</noscript><img src=x onerror=bad()>'>",
        "<!--><script>shown_as_text()</script>-->",
        "<xmp><script>bad()</script></xmp><template><script>bad()</script></template>",
    ]
    .iter()
    .map(|html| showing(&json!({"text/html": html}), &json!({})))
    .collect();
    for (data, metadata) in [
        (json!({"application/javascript": "bad()", "text/plain": "x"}), json!({})),
        (json!({"text/vnd.mermaid": "</pre><script>bad()</script>", "text/plain": "x"}), json!({})),
        (json!({"text/markdown": "<script>bad()</script>\n\n[a link](javascript:bad())"}), json!({})),
        (json!({"image/png": PICTURE}), json!({"width": "1 onerror=bad()", "height": "1\" onload=bad()"})),
        (json!({"image/png": PICTURE}), json!({"image/png": {"width": "1 onerror=bad()"}})),
        (json!({"image/jpeg": PICTURE}), json!({"filenames": {"image/jpeg": "x onerror=bad()"}})),
        (json!({"application/vnd.jupyter.widget-view+json": {"model_id": "</script><script>bad()"}}), json!({})),
        (json!({"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg' onload='bad()'></svg>"}), json!({})),
    ] {
        cells.push(showing(&data, &metadata));
    }
    cells
}

#[tokio::test]
async fn nothing_that_a_notebook_shows_runs_in_a_sanitized_page() {
    let sanitized = page(&hostile(), true).await;
    // Neither as code nor as text: what is shown of the above has no such word.
    for gone in ["bad()", "<script", "javascript:", "vbscript:", "<svg", "<iframe", "<form", "<base", "example.com"] {
        assert!(!sanitized.contains(gone), "{gone}: {sanitized}");
    }
    let body = &sanitized[sanitized.find("<body").unwrap()..];
    for shown in ["<p>text</p>", "<a>a link</a>", "<h1 id=\"Heading\">", "<td>1</td>", "<em>text</em>"] {
        assert!(body.contains(shown), "{shown}: {body}");
    }
    // The browser is told before it reads anything of the notebook's.
    let policy = sanitized.find("Content-Security-Policy").unwrap();
    assert!(policy < sanitized.find("<title").unwrap() && sanitized.contains("default-src 'none'"));

    let full = page(&hostile(), false).await;
    for kept in ["<script>bad()</script>", "onclick=", "javascript:bad()", "<svg onload"] {
        assert!(full.contains(kept), "{kept}: the usual page leaves everything as it is");
    }
}

/// docs/output.md: "In `output.html`, formulas stay as they were written, and widgets are shown as text."
#[tokio::test]
async fn a_widget_is_shown_as_text() {
    // Also one whose state the notebook keeps, as it does of every real widget.
    let view = json!({"model_id": "abc", "version_major": 2, "version_minor": 0});
    let widget = json!({"application/vnd.jupyter.widget-view+json": view, "text/plain": "IntSlider(value=3)"});
    for sanitize in [false, true] {
        let page = page(&[showing(&widget, &json!({}))], sanitize).await;
        let body = &page[page.find("<body").unwrap()..];
        assert!(body.contains("IntSlider(value=3)"), "{body}");
        assert!(!body.contains("application/vnd.jupyter.widget"), "a script that nothing reads: {body}");
    }
}

#[tokio::test]
async fn ordinary_outputs_are_shown_in_a_sanitized_page() {
    let table = "<div><style scoped>.dataframe tbody tr th { vertical-align: top; }</style><table border=\"1\" class=\"dataframe\">\
        <thead><tr style=\"text-align: right;\"><th></th><th>amount</th></tr></thead><tbody><tr><th>0</th><td>42 &lt; 43</td></tr></tbody></table></div>";
    let cells = [
        showing(&json!({"text/html": table, "text/plain": "a frame"}), &json!({})),
        showing(&json!({"image/png": PICTURE}), &json!({"image/png": {"width": 17}})),
        showing(&json!({"image/svg+xml": "<svg xmlns='http://www.w3.org/2000/svg'></svg>"}), &json!({})),
        showing(&json!({"text/html": format!("<img src='data:image/png;base64,{PICTURE}' width='18'>")}), &json!({})),
        showing(&json!({"text/latex": "$a < b$"}), &json!({})),
        showing(&json!({"text/html": "<a href='https://example.com/a?b=1&c=2' title='there'>a link</a>"}), &json!({})),
        "print('\\x1b[31mred\\x1b[0m and <plain>')".to_owned(),
        "import IPython\ntry:\n    1/0\nexcept ZeroDivisionError:\n    get_ipython().showtraceback()".to_owned(),
    ];
    let page = page(&cells, true).await;
    let body = &page[page.find("<body").unwrap()..];
    for shown in [
        "<table border=\"1\" class=\"dataframe\">",
        "<tr style=\"text-align: right;\">",
        "<th>amount</th>",
        "<td>42 &lt; 43</td>",
        "width=\"17\"",
        "width=\"18\"",
        "src=\"data:image/svg+xml;base64,",
        "$a &lt; b$",
        "<a href=\"https://example.com/a?b=1&amp;c=2\" title=\"there\">a link</a>",
        "<span class=\"ansi-red-fg\">red</span> and &lt;plain&gt;",
        "ZeroDivisionError</span>",
        "division by zero",
        "<em>text</em>",
        "<th>a</th>",
    ] {
        assert!(body.contains(shown), "{shown}: {body}");
    }
    assert_eq!(body.matches(PICTURE).count(), 2);
    assert!(!body.contains("vertical-align: top"), "a style sheet is no text");
}

/// The driver is given a copy of another name, and a name may hold anything.
#[tokio::test]
async fn the_page_is_called_what_the_notebook_is_called() {
    for (own, title) in [(None, "<title>d&lt;i&gt;ly</title>"), (Some("Sales"), "<title>Sales</title>")] {
        let mut source = notebook(&["1"]);
        if let Some(own) = own {
            source["metadata"]["title"] = own.into();
        }
        let mut bench = Bench::of(&source);
        bench.job.title = "d<i>ly".to_owned();
        assert_eq!(bench.run().await, Verdict::Succeeded);
        let page = bench.output("output.html");
        assert!(page.contains(title), "{}", &page[..page.len().min(2_000)]);
    }
}
