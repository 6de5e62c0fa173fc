//! The network of a machine in a subnet without a way to the internet: a namespace of its own, with a loopback device, on
//! which named endpoints of this host answer and nothing else does.
//!
//! Owns the forwarding. It makes no namespace: `systemd-nspawn --private-network` does.

use std::{
    fs::File,
    io,
    net::{Ipv4Addr, TcpListener},
    os::fd::AsFd,
    thread,
    time::Duration,
};

use rustix::thread::{LinkNameSpaceType, move_into_link_name_space};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener as Listener, TcpStream},
    task::{JoinHandle, JoinSet},
    time::sleep,
};

/// Connections of one endpoint at a time; a runner and its notebooks keep some ten. Later ones wait.
const CONNECTIONS: usize = 256;
/// After a connection that could not be accepted, for want of a descriptor as a rule: one becomes free when another ends.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// What a machine in a subnet reaches: a port of its own 127.0.0.1, behind which a port of the host's answers.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Endpoint {
    /// The port that the machine sees.
    pub port: u16,
    /// The port on 127.0.0.1 of the host.
    pub to: u16,
}

/// The endpoints of one machine. They end when this is dropped.
#[derive(Debug)]
pub(crate) struct Network(Vec<JoinHandle<()>>);

impl Drop for Network {
    fn drop(&mut self) {
        for task in &self.0 {
            task.abort();
        }
    }
}

impl Network {
    /// Opens the endpoints in the namespace of a process. On a thread of a tokio runtime.
    pub(crate) fn open(leader: i32, endpoints: &[Endpoint]) -> io::Result<Self> {
        let namespace = File::open(format!("/proc/{leader}/ns/net"))?;
        let listeners = thread::scope(|scope| scope.spawn(|| listen(&namespace, endpoints)).join());
        let listeners = listeners.map_err(|_| io::Error::other("the thread that listens for a machine ended"))??;
        let tasks =
            listeners.into_iter().map(|(listener, to)| Ok(tokio::spawn(forward(Listener::from_std(listener)?, to))));
        tasks.collect::<io::Result<_>>().map(Self)
    }
}

/// On a thread of its own, which ends in the namespace that it went into; a socket stays in the one that it was made in.
fn listen(namespace: &File, endpoints: &[Endpoint]) -> io::Result<Vec<(TcpListener, u16)>> {
    move_into_link_name_space(namespace.as_fd(), Some(LinkNameSpaceType::Network))?;
    let listener = |endpoint: &Endpoint| {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, endpoint.port))?;
        listener.set_nonblocking(true)?;
        Ok((listener, endpoint.to))
    };
    endpoints.iter().map(listener).collect()
}

async fn forward(listener: Listener, to: u16) {
    let mut connections = JoinSet::new();
    loop {
        while connections.len() >= CONNECTIONS {
            connections.join_next().await;
        }
        while connections.try_join_next().is_some() {}
        let Ok((mut inside, _)) = listener.accept().await else {
            // No descriptor is left, for example, and the same call would fail again at once.
            sleep(ACCEPT_PAUSE).await;
            continue;
        };
        connections.spawn(async move {
            // Nobody behind it, or an end in the middle: the machine sees a connection that ends.
            if let Ok(mut outside) = TcpStream::connect((Ipv4Addr::LOCALHOST, to)).await {
                let _ = copy_bidirectional(&mut inside, &mut outside).await;
            }
        });
    }
}
