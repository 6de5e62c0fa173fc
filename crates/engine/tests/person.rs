//! The question whether a person is working, asked of a small server that answers as Jupyter does.
#![allow(clippy::unwrap_used, clippy::expect_used, reason = "tests")]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::path::Path;
use std::thread;

use reveille_engine::Engine;
use reveille_engine::activity::Activity;

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
            write!(stream, "HTTP/1.1 {status}\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len())
                .unwrap();
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
    let activity = engine().activity_of(&url).await.unwrap();
    let last_activity = Some("2026-11-01T12:00:00.123456Z".parse().unwrap());
    assert_eq!(activity, Activity { last_activity, busy_kernels: 1, terminals: 1 });
}

#[tokio::test]
async fn a_server_without_terminals_or_kernels_is_idle() {
    let url = server(&[("/api/kernels", "200 OK", "[]")]);
    let activity = engine().activity_of(&url).await.unwrap();
    assert_eq!(activity, Activity { last_activity: None, busy_kernels: 0, terminals: 0 });
}

#[tokio::test]
async fn unknown_is_not_idle() {
    let closed = {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        format!("http://{}", listener.local_addr().unwrap())
    };
    let refused = engine().activity_of(&closed).await.unwrap_err();
    assert!(refused.reason.contains("refused"), "{refused}");
    let forbidden = server(&[("/api/kernels", "403 Forbidden", "{}")]);
    assert!(engine().activity_of(&forbidden).await.unwrap_err().reason.contains("403"));
    let page = server(&[("/api/kernels", "200 OK", "<html>log in</html>")]);
    assert!(engine().activity_of(&page).await.is_err());
    let object = server(&[("/api/kernels", "200 OK", "{}")]);
    assert!(engine().activity_of(&object).await.unwrap_err().reason.contains("no list"));
}
