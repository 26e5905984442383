// SPDX-License-Identifier: MIT
//! Scenarios that are a count of equal operations.
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;
use tokio::process::Command;
use tokio::sync::{mpsc, oneshot, Mutex};
use tokio::task::{spawn_blocking, yield_now};
use tokio::time::timeout;

const BATCH: u64 = 10_000;
const YIELDERS: u64 = 16;
const CAPACITY: usize = 128;
const LOCKERS: u64 = 4;
const FANOUT: u64 = 10;
const CHILDREN: u64 = 20;
const HOUR: Duration = Duration::from_secs(3600);

async fn nothing() {}

pub async fn spawn_join(n: u64) {
    for _ in 0..n {
        tokio::spawn(nothing()).await.unwrap();
    }
}

pub async fn spawn_many(n: u64) {
    let mut handles = Vec::with_capacity(BATCH as usize);
    let mut left = n;
    while left > 0 {
        let batch = left.min(BATCH);
        for _ in 0..batch {
            handles.push(tokio::spawn(nothing()));
        }
        for handle in handles.drain(..) {
            handle.await.unwrap();
        }
        left -= batch;
    }
}

pub async fn yielding(n: u64) {
    let each = n / YIELDERS;
    let tasks: Vec<_> = (0..YIELDERS)
        .map(|_| {
            tokio::spawn(async move {
                for _ in 0..each {
                    yield_now().await;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}

/// Receives, within an hour if `deadline` is set.
async fn receive(rx: &mut mpsc::Receiver<u64>, deadline: bool) -> Option<u64> {
    if deadline {
        timeout(HOUR, rx.recv()).await.expect("an hour")
    } else {
        rx.recv().await
    }
}

/// A round trip between two tasks over two channels for one value.
pub async fn ping_pong(n: u64, deadline: bool) {
    let (ping, mut ping_rx) = mpsc::channel::<u64>(1);
    let (pong, mut pong_rx) = mpsc::channel::<u64>(1);
    let echo = tokio::spawn(async move {
        while let Some(v) = receive(&mut ping_rx, deadline).await {
            pong.send(v).await.unwrap();
        }
    });
    let caller = tokio::spawn(async move {
        for i in 0..n {
            ping.send(i).await.unwrap();
            assert_eq!(receive(&mut pong_rx, deadline).await, Some(i));
        }
    });
    caller.await.unwrap();
    echo.await.unwrap();
}

pub async fn blocking(n: u64) {
    for i in 0..n {
        assert_eq!(spawn_blocking(move || i).await.unwrap(), i);
    }
}

pub async fn blocking_many(n: u64) {
    let mut jobs = Vec::with_capacity(BATCH as usize);
    let mut left = n;
    while left > 0 {
        let batch = left.min(BATCH);
        for _ in 0..batch {
            jobs.push(spawn_blocking(|| ()));
        }
        for job in jobs.drain(..) {
            job.await.unwrap();
        }
        left -= batch;
    }
}

pub async fn channel(n: u64, senders: u64) {
    let (tx, mut rx) = mpsc::channel::<u64>(CAPACITY);
    let each = n / senders;
    for _ in 0..senders {
        let tx = tx.clone();
        tokio::spawn(async move {
            for i in 0..each {
                tx.send(i).await.unwrap();
            }
        });
    }
    drop(tx);
    let sum = tokio::spawn(async move {
        let mut sum = 0;
        while let Some(v) = rx.recv().await {
            sum += v;
        }
        sum
    });
    assert_eq!(sum.await.unwrap(), senders * (each * (each - 1) / 2));
}

pub async fn mutex(n: u64) {
    let total = Arc::new(Mutex::new(0u64));
    let each = n / LOCKERS;
    let tasks: Vec<_> = (0..LOCKERS)
        .map(|_| {
            let total = total.clone();
            tokio::spawn(async move {
                for _ in 0..each {
                    *total.lock().await += 1;
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
    assert_eq!(*total.lock().await, each * LOCKERS);
}

fn skynet_node(first: u64, size: u64) -> Pin<Box<dyn Future<Output = u64> + Send>> {
    Box::pin(async move {
        if size == 1 {
            return first;
        }
        let part = size / FANOUT;
        let mut children = Vec::with_capacity(FANOUT as usize);
        for i in 0..FANOUT {
            children.push(tokio::spawn(skynet_node(first + i * part, part)));
        }
        let mut sum = 0;
        for child in children {
            sum += child.await.unwrap();
        }
        sum
    })
}

/// `n` must be a power of ten.
pub async fn skynet(n: u64) {
    assert_eq!(skynet_node(0, n).await, n * (n - 1) / 2);
}

fn link(left: u64, done: oneshot::Sender<()>) {
    tokio::spawn(async move {
        if left == 0 {
            done.send(()).unwrap();
        } else {
            link(left - 1, done);
        }
    });
}

pub async fn chain(n: u64) {
    let (done, wait) = oneshot::channel();
    link(n - 1, done);
    wait.await.unwrap();
}

/// Timers of a second to an hour: all are made (and registered, by polling once), then all are dropped.
pub async fn timers(n: u64) {
    let mut all: Vec<Pin<Box<tokio::time::Sleep>>> = Vec::with_capacity(n as usize);
    for i in 0..n {
        let delay = Duration::from_millis(1000 + i * 7919 % 3_600_000);
        let mut sleep = Box::pin(tokio::time::sleep(delay));
        std::future::poll_fn(|cx| {
            assert!(sleep.as_mut().poll(cx).is_pending());
            std::task::Poll::Ready(())
        })
        .await;
        all.push(sleep);
    }
    for sleep in all {
        drop(sleep);
    }
}

/// Child processes, `CHILDREN` at a time.
pub async fn children(n: u64) {
    let tasks: Vec<_> = (0..CHILDREN)
        .map(|_| {
            tokio::spawn(async move {
                for _ in 0..n / CHILDREN {
                    let status = Command::new("/bin/true").status().await.unwrap();
                    assert!(status.success());
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap();
    }
}
