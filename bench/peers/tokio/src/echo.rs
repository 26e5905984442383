// SPDX-License-Identifier: MIT
//! Echo over TCP connections: clients and server in one process, as in the other peers.
use crate::{usage, Plan};
use std::io::{Read, Write};
use std::time::Duration;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};

pub const CLIENTS: u64 = 50;
pub const MAX: usize = 16384;
const IDLE_BUFFER: usize = 4096;
const BACKLOG: u32 = 4096; // what the system allows, as the other peers have it

fn listen() -> TcpListener {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    socket.listen(BACKLOG).unwrap()
}

async fn serve(mut s: TcpStream, size: usize) {
    let mut buf = vec![0; size];
    loop {
        match s.read(&mut buf).await {
            Ok(0) | Err(_) => return,
            Ok(n) => {
                if s.write_all(&buf[..n]).await.is_err() {
                    return;
                }
            }
        }
    }
}

async fn client(address: std::net::SocketAddr, n: u64, size: usize) {
    let mut s = TcpStream::connect(address).await.unwrap();
    s.set_nodelay(true).unwrap();
    let (mut out, mut back) = (vec![0; size], vec![0; size]);
    for k in 0..n {
        out.fill(k as u8);
        s.write_all(&out).await.unwrap();
        s.read_exact(&mut back).await.unwrap();
        assert!(back[0] == out[0] && back[size - 1] == out[size - 1]);
    }
}

/// n round trips of a message over so many connections.
pub async fn tcp_echo(n: u64, clients: u64, size: usize) {
    let listener = listen();
    let address = listener.local_addr().unwrap();
    let acceptor = tokio::spawn(async move {
        loop {
            let (s, _) = listener.accept().await.unwrap();
            s.set_nodelay(true).unwrap();
            tokio::spawn(serve(s, MAX));
        }
    });
    let all: Vec<_> =
        (0..clients).map(|_| tokio::spawn(client(address, n / clients, size))).collect();
    for one in all {
        one.await.unwrap();
    }
    acceptor.abort();
}

/// Bytes per connection that has passed a message on once and waits for the next. The peers are bare
/// sockets, so that they cost nothing here but kernel memory.
pub async fn idle_conns(plan: Plan) -> (f64, String) {
    let listener = listen();
    let address = listener.local_addr().unwrap();
    let before = usage::rss();
    let mut peers = Vec::with_capacity(plan.count as usize);
    for _ in 0..plan.count {
        let mut peer = std::net::TcpStream::connect(address).unwrap();
        peer.write_all(b"x").unwrap();
        let (s, _) = listener.accept().await.unwrap();
        tokio::spawn(serve(s, IDLE_BUFFER));
        peer.set_nonblocking(true).unwrap();
        while peer.read(&mut [0]).is_err() {
            tokio::task::yield_now().await; // the task above has its turn
        }
        peers.push(peer);
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    let now = usage::rss();
    std::mem::forget(peers);
    ((now - before) as f64 / plan.count as f64, format!("rss_mib={}", now >> 20))
}
