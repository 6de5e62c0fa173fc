//! The question whether a person is working, asked of a small server that answers as Jupyter does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use reveille_notebook::Engine;
use reveille_notebook::activity::{Activity, Problem};

/// Serves `answers` (path, status and body), one connection each request, and returns its address.
fn server(answers: &'static [(&'static str, &'static str, &'static str)]) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let mut request = [0; 4096];
            let read = stream.read(&mut request).unwrap();
            let request = String::from_utf8_lossy(&request[..read]).into_owned();
            let path = request.split(' ').nth(1).unwrap();
            let found = answers.iter().find(|(known, ..)| *known == path);
            let (status, body) = found.map_or(("404 Not Found", "{}"), |(_, status, body)| (*status, *body));
            let length = body.len();
            let answer = format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\nConnection: close\r\n\r\n{body}");
            stream.write_all(answer.as_bytes()).unwrap();
        }
    });
    url
}

fn engine() -> Engine {
    Engine::with_python(support::python(), Path::new(""))
}

#[tokio::test]
async fn kernels_and_terminals_are_counted() {
    let url = server(&[
        (
            "/api/kernels",
            "200 OK",
            r#"[{"id": "a", "execution_state": "busy", "last_activity": "2026-11-01T10:00:00.000000Z"},
                {"id": "b", "execution_state": "idle", "last_activity": "2026-11-01T12:00:00.123456Z"}]"#,
        ),
        ("/api/terminals", "200 OK", r#"[{"name": "1", "last_activity": "2026-11-01T11:00:00Z"}]"#),
    ]);
    let activity = engine().activity_of(&url).await;
    let times = ["2026-11-01T10:00:00Z", "2026-11-01T12:00:00.123456Z", "2026-11-01T11:00:00Z"];
    let seen = times.map(|time| time.parse().unwrap()).to_vec();
    assert_eq!(activity, Activity { seen, busy_kernels: 1, terminals: 1, problem: None });
}

#[tokio::test]
async fn a_server_without_terminals_or_kernels_answers_with_nothing() {
    let url = server(&[("/api/kernels", "200 OK", "[]")]);
    let activity = engine().activity_of(&url).await;
    assert_eq!(activity, Activity { seen: Vec::new(), busy_kernels: 0, terminals: 0, problem: None });
}

#[tokio::test]
async fn a_refused_connection_is_told_by_its_kind_and_never_by_a_text() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    assert_eq!(engine().activity_of(&closed).await.problem, Some(Problem::Refused));
    let text = server(&[("/api/kernels", "500 Connection refused", "Connection refused")]);
    assert!(matches!(engine().activity_of(&text).await.problem, Some(Problem::Unusable(_))));
    let nowhere = engine().activity_of("http://Connection refused.invalid:1/").await;
    assert!(matches!(nowhere.problem, Some(Problem::Unusable(_))), "{nowhere:?}");
}

#[tokio::test]
async fn what_is_no_answer_is_unusable() {
    for (status, body) in [
        ("403 Forbidden", "{}"),
        ("200 OK", "<html>log in</html>"),
        ("200 OK", "{}"),
        ("200 OK", ""),
        ("200 OK", include_str!("../src/jupyter_activity.py")),
    ] {
        let url = server(Vec::from([("/api/kernels", status, body)]).leak());
        let activity = engine().activity_of(&url).await;
        assert!(matches!(activity.problem, Some(Problem::Unusable(_))), "{status} {body}: {activity:?}");
        assert_eq!((activity.busy_kernels, activity.seen.len()), (0, 0));
    }
    let huge: &str = format!("[{}1]", "1,".repeat(1 << 20)).leak();
    let url = server(Vec::from([("/api/kernels", "200 OK", huge)]).leak());
    assert!(matches!(engine().activity_of(&url).await.problem, Some(Problem::Unusable(_))));
    let odd = r#"[null, 7, "busy", [], {"last_activity": 9, "execution_state": {}}, {"last_activity": "yesterday"}]"#;
    let url = server(Vec::from([("/api/kernels", "200 OK", odd)]).leak());
    let activity = engine().activity_of(&url).await;
    assert_eq!(activity, Activity { seen: Vec::new(), busy_kernels: 0, terminals: 0, problem: None });
}

#[tokio::test]
async fn a_busy_kernel_is_busy_whatever_the_terminals_answer() {
    let kernels = r#"[{"execution_state": "busy", "last_activity": "2026-11-01T10:00:00Z"}]"#;
    for (status, body) in [("500 Internal Server Error", ""), ("200 OK", "{}")] {
        let url = server(Vec::from([("/api/kernels", "200 OK", kernels), ("/api/terminals", status, body)]).leak());
        let activity = engine().activity_of(&url).await;
        assert_eq!((activity.busy_kernels, activity.seen.len()), (1, 1));
        assert!(matches!(activity.problem, Some(Problem::Unusable(_))));
    }
}
