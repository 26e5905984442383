// SPDX-License-Identifier: MIT
//! Files: read whole, read one after the other, walked. What is read was made by the Edo program.
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::sync::Arc;
use tokio::fs;
use tokio::io::AsyncReadExt;
use tokio::sync::mpsc;
use tokio::sync::Semaphore;

const SMALL_FILES: u64 = 10_000;
const SMALL_SIZE: usize = 4096;
const SMALL_PER_DIR: u64 = 100;
const READERS: u64 = 16;
const LARGE_BUFFER: usize = 65536;
const WALK_ENTRIES: u64 = 100_000;

fn bench_dir() -> PathBuf {
    std::env::var_os("EDO_BENCH_DIR").map_or_else(|| PathBuf::from("/tmp/edo-bench"), PathBuf::from)
}

pub async fn small(n: u64) {
    let next = Arc::new(AtomicU64::new(0));
    let dir = Arc::new(bench_dir().join("small"));
    let mut tasks = Vec::new();
    for _ in 0..READERS {
        let (next, dir) = (next.clone(), dir.clone());
        tasks.push(tokio::spawn(async move {
            loop {
                let i = next.fetch_add(1, Relaxed);
                if i >= n {
                    break;
                }
                let i = i % SMALL_FILES;
                let path = dir.join(format!("{}/{}", i / SMALL_PER_DIR, i));
                assert_eq!(fs::read(path).await.unwrap().len(), SMALL_SIZE);
            }
        }));
    }
    for task in tasks {
        task.await.unwrap();
    }
}

pub async fn large(n: u64) {
    let path = bench_dir().join("large");
    let reads = fs::metadata(&path).await.unwrap().len() / LARGE_BUFFER as u64;
    let mut buf = vec![0; LARGE_BUFFER];
    let mut file = fs::File::open(&path).await.unwrap();
    for i in 0..n {
        if i > 0 && i % reads == 0 {
            file = fs::File::open(&path).await.unwrap();
        }
        file.read_exact(&mut buf).await.unwrap();
    }
}

async fn read_dir(path: PathBuf, found: mpsc::UnboundedSender<(u64, Vec<PathBuf>)>) {
    let mut entries = fs::read_dir(path).await.unwrap();
    let (mut count, mut dirs) = (0, Vec::new());
    while let Some(entry) = entries.next_entry().await.unwrap() {
        count += 1;
        if entry.file_type().await.unwrap().is_dir() {
            dirs.push(entry.path());
        }
    }
    found.send((count, dirs)).unwrap();
}

/// A task per directory, 16 of them at a time.
async fn walk_once() -> u64 {
    let (tx, mut rx) = mpsc::unbounded_channel();
    let limit = Arc::new(Semaphore::new(READERS as usize));
    let mut seen = 0;
    let mut live = 1;
    tokio::spawn(read_dir(bench_dir().join("walk"), tx.clone()));
    while live > 0 {
        let (count, dirs) = rx.recv().await.unwrap();
        live -= 1;
        seen += count;
        for dir in dirs {
            live += 1;
            let (tx, limit) = (tx.clone(), limit.clone());
            tokio::spawn(async move {
                let _permit = limit.acquire().await.unwrap();
                read_dir(dir, tx).await;
            });
        }
    }
    seen
}

pub async fn walk(n: u64) {
    let mut left = n;
    while left > 0 {
        assert_eq!(walk_once().await, WALK_ENTRIES);
        left -= left.min(WALK_ENTRIES);
    }
}
