//! Inputs that are taken and inputs that are refused. The contract tests hold the published schema to the same ones, so this
//! file names nothing of its crate.

use serde_json::{Value, json};

/// A small valid input with one more field.
pub fn with(field: &str, value: Value) -> Value {
    let mut input = json!({"instance": "nightly", "notebook": "reports/daily.ipynb"});
    input[field] = value;
    input
}

/// The same for a kernel.
fn with_kernel(kernel: &str, parameters: Value) -> Value {
    let mut input = with("parameters", parameters);
    input["kernel"] = kernel.into();
    input
}

/// The input that docs/input.md opens with.
pub fn documented_input() -> Value {
    json!({"instance": "nightly", "notebook": "reports/daily.ipynb",
        "parameters": {"day": "{{ date }}", "source": "s3://{{ bucket }}/{{ key }}"}, "event": {"source": "aws.s3"},
        "limits": {"startSeconds": 1200, "queueSeconds": 7200, "runSeconds": 7200, "stopSeconds": 1200},
        "whenBusy": "queue", "kernel": "conda_python3", "html": "sanitized", "onRunnerLost": "fail", "rerun": false})
}

/// Inputs that are refused, and what the message says.
pub fn bad_inputs() -> Vec<(Value, &'static str)> {
    vec![
        (json!([]), "must be a JSON object"),
        (json!({"notebook": "a.ipynb"}), "missing field `instance`; give the name of a notebook instance"),
        (json!({"instance": "nightly"}), "missing field `notebook`; give an s3:// URI or a path below"),
        (
            with("instance", Value::Null),
            "instance: it is null, and a run needs it; give the name of a notebook instance",
        ),
        (with("notebook", Value::Null), "notebook: it is null, and a run needs it; give an s3:// URI or a path below"),
        (with("paramters", json!({})), "the input: unknown field \"paramters\"; the fields are instance, notebook,"),
        (with("limits", json!({"runSecs": 3})), "limits: unknown field \"runSecs\"; the fields are startSeconds,"),
        (
            with("limits", json!({"runSeconds": "3"})),
            "limits.runSeconds: a text is not a whole number of seconds between 1 and 86400: write 3, without quotes",
        ),
        (
            with("limits", json!({"runSeconds": "secret"})),
            "a text is not a whole number of seconds between 1 and 86400. ",
        ),
        (with("limits", json!({"runSeconds": {"secret": 1}})), "limits.runSeconds: an object is not a whole number"),
        (
            with("limits", json!({"runSeconds": 0})),
            "limits.runSeconds: 0 is not a whole number of seconds between 1 and 86400",
        ),
        (with("limits", json!({"runSeconds": -1.5})), "limits.runSeconds: -1.5 is not a whole number"),
        (with("limits", json!([1200, 7200])), "limits: it must be an object"),
        (
            with("limits", json!({"startSeconds": 999_999})),
            "limits.startSeconds: 999999 is not a whole number of seconds between",
        ),
        (
            with("whenBusy", json!("wait")),
            "whenBusy: \"wait\" is not allowed; write one of \"queue\", \"skip\", \"fail\"",
        ),
        (
            with("onRunnerLost", json!("retry")),
            "onRunnerLost: \"retry\" is not allowed; write one of \"fail\", \"rerun\"",
        ),
        (with("html", json!("sanitised")), "html: \"sanitised\" is not allowed; write one of \"full\", \"sanitized\""),
        (
            with("whenBusy", json!({"queue": null})),
            "whenBusy: an object is not allowed; write one of \"queue\", \"skip\", \"fail\"",
        ),
        (
            with("onRunnerLost", json!(["secret"])),
            "onRunnerLost: a list is not allowed; write one of \"fail\", \"rerun\"",
        ),
        (
            with("html", json!({"sanitized": "secret"})),
            "html: an object is not allowed; write one of \"full\", \"sanitized\"",
        ),
        (with("html", json!(true)), "html: a boolean is not allowed; write one of \"full\", \"sanitized\""),
        (with("html", json!(1.5)), "html: a number is not allowed; write one of \"full\", \"sanitized\""),
        (with("rerun", json!("yes")), "rerun: it has the wrong type or value; expected true or false, without quotes"),
        (with("instance", json!("a/b")), "instance: \"a/b\" is not a notebook instance name"),
        (with("kernel", json!("-x")), "kernel: \"-x\" is not a kernel name"),
        (with("kernel", json!("a b")), "kernel: \"a b\" is not a kernel name"),
        (with("parameters", json!("secret")), "parameters: it has the wrong type or value; expected an object"),
        (with("parameters", json!({"x=1;import os": 1})), "\"x=1;import os\" is not a parameter name"),
        (with("parameters", json!({"": 1})), "\"\" is not a parameter name"),
        (
            with("parameters", json!({"from": "secret"})),
            "parameters.from: from is a Python keyword and cannot be a variable; give the parameter another name, or name the notebook's \"kernel\"",
        ),
        (
            with_kernel("bash", json!({"x": {"secret": 1}})),
            "parameters.x: it is, or holds, an object, and a kernel of bash",
        ),
        (with_kernel("bash", json!({"x": [["secret"]]})), "parameters.x: it is, or holds, a list in a list"),
        (with_kernel("bash", json!({"RANDOM": "secret"})), "parameters.RANDOM: RANDOM is a bash reserved word"),
        (
            with_kernel("ir", json!({"next": "secret"})),
            "parameters.next: next is an R reserved word and cannot be a variable",
        ),
        (with_kernel("ir", json!({"_day": "secret"})), "begins with an underscore, which no variable of R does"),
        (with_kernel("julia-1.11", json!({"end": "secret"})), "end is a Julia reserved word"),
    ]
}

/// Instances' names that AWS's pattern allows.
pub fn good_instances() -> Vec<String> {
    ["a", "nightly", "A-1", "a--b", &"x".repeat(63)].map(str::to_owned).to_vec()
}

/// Instances' names that it does not.
pub fn bad_instances() -> Vec<String> {
    ["", "-", "-a", "a-", "a_b", "a/b", "..", "a b", "a\n", "é", &"x".repeat(64)].map(str::to_owned).to_vec()
}

/// Notebooks that are refused, and what the message says.
pub fn bad_notebooks() -> Vec<(String, &'static str)> {
    let fixed = [
        ("../a.ipynb", "'..' part"),
        ("a/../../b.ipynb", "'..' part"),
        ("/home/ec2-user/SageMaker/a b/c.ipynb", "write \"a b/c.ipynb\""),
        ("/home/ec2-user/SageMaker/../a.ipynb", "leading or trailing slash"),
        ("/etc/a.ipynb", "leading or trailing slash"),
        ("a//b.ipynb", "no empty"),
        ("./a.ipynb", "no empty"),
        ("a.py", "does not end in .ipynb"),
        ("a.IPYNB", "does not end in .ipynb"),
        ("", "does not end in .ipynb"),
        ("a.ipynb ", "does not end in .ipynb"),
        (".ipynb", "no name before"),
        ("a/.ipynb", "no name before"),
        ("a.ipynb/", "does not end in .ipynb"),
        ("a\\..\\b.ipynb", "is neither"),
        ("~/a.ipynb", "begins with ~"),
        ("http://x/a.ipynb", "is neither"),
        ("https://x/a.ipynb", "is neither"),
        ("http:/x/a.ipynb", "is neither"),
        ("file:/x/a.ipynb", "is neither"),
        ("s3:/b/x.ipynb", "is neither"),
        ("s3:b/x.ipynb", "is neither"),
        ("s3:x.ipynb", "is neither"),
        ("S3:/b/x.ipynb", "is neither"),
        ("S3://bucket/x.ipynb", "is neither"),
        (" s3://bucket/x.ipynb", "begins with a space"),
        (" reports/x.ipynb", "begins with a space"),
        ("\u{a0}x.ipynb", "begins with a space"),
        ("s3a://bucket/x.ipynb", "is neither"),
        ("s3//bucket/x.ipynb", "no empty"),
        ("//bucket/x.ipynb", "no empty"),
        ("C:/x.ipynb", "is neither"),
        ("arn:aws:s3:::bucket/x.ipynb", "is neither"),
        ("s3://b", "does not end in .ipynb"),
        ("s3://bucket", "does not end in .ipynb"),
        ("s3://bucket.ipynb", "is not an S3 URI"),
        ("s3://bucket/", "does not end in .ipynb"),
        ("s3://bucket/.ipynb", "no name before"),
        ("s3:///k.ipynb", "is not an S3 URI"),
        ("s3://bucket/x.ipynb/", "does not end in .ipynb"),
        ("s3://bucket/../x.ipynb", "'..' part"),
        ("s3://bucket/a/./x.ipynb", "'..' part"),
        ("s3://B_/k.ipynb", "3 to 63"),
        ("s3://ab/k.ipynb", "3 to 63"),
        ("s3://Bucket/k.ipynb", "has a character that is not"),
        ("s3://my_bucket/k.ipynb", "has a character that is not"),
        ("s3://bücket/k.ipynb", "has a character that is not"),
        ("s3://bucket:80/k.ipynb", "has a character that is not"),
        ("s3://user@bucket/k.ipynb", "has a character that is not"),
        ("s3://-a.-/x.ipynb", "begin and end"),
        ("s3://.../x.ipynb", "begin and end"),
        ("s3://bucket-/x.ipynb", "begin and end"),
        ("s3://.bucket/x.ipynb", "begin and end"),
        ("s3://a..b/x.ipynb", "two periods"),
        ("s3://192.168.5.4/x.ipynb", "IP address"),
        ("s3://999.0.0.1/x.ipynb", "IP address"),
        ("s3://xn--bucket/x.ipynb", "begins with a prefix"),
        ("s3://sthree-bucket/x.ipynb", "begins with a prefix"),
        ("s3://amzn-s3-demo-bucket/x.ipynb", "begins with a prefix"),
        ("s3://bucket.s3.amazonaws.com/x.ipynb", "write the bucket's name alone"),
        ("s3://s3.eu-central-1.amazonaws.com/bucket/x.ipynb", "write the bucket's name alone"),
        ("s3://bucket.s3.cn-north-1.amazonaws.com.cn/x.ipynb", "write the bucket's name alone"),
        ("s3://abc.mrap/x.ipynb", "ends with a suffix"),
        ("s3://abc--table-s3/x.ipynb", "ends with a suffix"),
        ("{{ key }}.ipynb", "placeholder"),
        ("s3://{{ bucket }}/a.ipynb", "placeholder"),
        ("a\nb.ipynb", "control character"),
        ("a\u{9b}b.ipynb", "control character"),
    ];
    let longest = [
        (long(1_025), "an S3 key has at most 1024"),
        (format!("s3://{}/x.ipynb", "b".repeat(64)), "3 to 63"),
        (format!("{}.ipynb", "é".repeat(125)), "a file's name has at most 255"),
        (format!("{}x.ipynb", "folder/".repeat(146)), "at most 1024 are accepted"),
    ];
    fixed.map(|(bad, why)| (bad.to_owned(), why)).into_iter().chain(longest).collect()
}

/// Notebooks that are taken.
pub fn good_notebooks() -> Vec<String> {
    let (bucket, key) = ("b".repeat(63), "é".repeat(509));
    let fixed = [
        "a.ipynb",
        "a b/'q'/$(x).ipynb",
        "a:b/12:30.ipynb",
        "..a/b...ipynb",
        "~user/a.ipynb",
        "s3://bucket/some/key.ipynb",
        "s3://bucket//x.ipynb",
        "s3://bucket/a//%20 ü?#.ipynb",
        "s3://1.2.3/x.ipynb",
        "s3://my-point-abc123-s3alias/x.ipynb",
        "s3://base--usw2-az1--x-s3/x.ipynb",
    ];
    let longest = [
        long(1_024),
        format!("s3://{bucket}/{key}.ipynb"),
        format!("{}.ipynb", "x".repeat(249)),
        format!("{}xxx.ipynb", "folder/".repeat(145)),
    ];
    fixed.map(str::to_owned).into_iter().chain(longest).collect()
}

/// The URI of a notebook whose key has so many bytes.
fn long(bytes: usize) -> String {
    format!("s3://bucket/{}.ipynb", "k".repeat(bytes - 6))
}
