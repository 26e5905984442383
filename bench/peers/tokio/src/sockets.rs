// SPDX-License-Identifier: MIT
//! Scenarios of connections and datagrams.
use std::sync::Arc;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::Semaphore;

const CONNECT_CLIENTS: u64 = 16;
const UDP_CLIENTS: u64 = 50;
const UDP_SIZE: usize = 64;
const UDP_WINDOW: u64 = 64;

async fn serve(mut s: TcpStream) {
    let mut byte = [0];
    if let Ok(1) = s.read(&mut byte).await {
        s.write_all(&byte).await.unwrap();
    }
    assert!(matches!(s.read(&mut byte).await, Ok(0) | Err(_)));
}

/// Clients connect, send a byte, get it back and reset the connection, so that no port is kept.
pub async fn connect(n: u64) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let acceptor = tokio::spawn(async move {
        loop {
            let (s, _) = listener.accept().await.unwrap();
            s.set_nodelay(true).unwrap();
            tokio::spawn(serve(s));
        }
    });
    let clients: Vec<_> = (0..CONNECT_CLIENTS)
        .map(|_| {
            tokio::spawn(async move {
                for i in 0..n / CONNECT_CLIENTS {
                    let mut s = TcpStream::connect(address).await.unwrap();
                    s.set_nodelay(true).unwrap();
                    s.set_zero_linger().unwrap();
                    let (byte, mut back) = ([i as u8], [0]);
                    s.write_all(&byte).await.unwrap();
                    s.read_exact(&mut back).await.unwrap();
                    assert_eq!(byte, back);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    acceptor.abort();
}

/// Round trips of a datagram, UDP_CLIENTS sockets to one.
pub async fn udp_echo(n: u64) {
    let server = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = server.local_addr().unwrap();
    let answers = tokio::spawn(async move {
        let mut buf = [0; UDP_SIZE];
        loop {
            let (n, from) = server.recv_from(&mut buf).await.unwrap();
            server.send_to(&buf[..n], from).await.unwrap();
        }
    });
    let clients: Vec<_> = (0..UDP_CLIENTS)
        .map(|_| {
            tokio::spawn(async move {
                let u = UdpSocket::bind("127.0.0.1:0").await.unwrap();
                u.connect(address).await.unwrap();
                let mut back = [0; UDP_SIZE];
                for i in 0..n / UDP_CLIENTS {
                    let out = [i as u8; UDP_SIZE];
                    u.send(&out).await.unwrap();
                    assert_eq!(u.recv(&mut back).await.unwrap(), UDP_SIZE);
                    assert_eq!(out, back);
                }
            })
        })
        .collect();
    for client in clients {
        client.await.unwrap();
    }
    answers.abort();
}

/// One task sends to another, UDP_WINDOW at a time, which must have arrived before the next.
pub async fn udp_packets(n: u64) {
    let to = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = to.local_addr().unwrap();
    let from = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let arrived = Arc::new(Semaphore::new(0));
    let windows = n / UDP_WINDOW;
    let released = arrived.clone();
    let receiver = tokio::spawn(async move {
        let mut buf = [0; UDP_SIZE];
        for _ in 0..windows * UDP_WINDOW {
            assert_eq!(to.recv(&mut buf).await.unwrap(), UDP_SIZE);
            released.add_permits(1);
        }
    });
    let sender = tokio::spawn(async move {
        let data = [0; UDP_SIZE];
        for _ in 0..windows {
            for _ in 0..UDP_WINDOW {
                from.send_to(&data, address).await.unwrap();
            }
            arrived.acquire_many(UDP_WINDOW as u32).await.unwrap().forget();
        }
    });
    receiver.await.unwrap();
    sender.await.unwrap();
}
