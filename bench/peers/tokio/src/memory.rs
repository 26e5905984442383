// SPDX-License-Identifier: MIT
//! Resident memory of very many tasks. The process exits without ending them.
use crate::{usage, Plan};
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

static STARTED: AtomicU64 = AtomicU64::new(0);

fn per_task(before: u64, count: u64) -> (f64, String) {
    let now = usage::rss();
    (now.saturating_sub(before) as f64 / count as f64, format!("rss_mib={}", now >> 20))
}

/// Bytes per task once all `count` tasks sleep for an hour.
pub async fn sleeping(plan: Plan) -> (f64, String) {
    let before = usage::rss();
    for _ in 0..plan.count {
        drop(tokio::spawn(async {
            let sleep = tokio::time::sleep(Duration::from_secs(3600));
            STARTED.fetch_add(1, Ordering::Relaxed);
            sleep.await;
        }));
    }
    while STARTED.load(Ordering::Relaxed) < plan.count {
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    tokio::time::sleep(Duration::from_millis(100)).await;
    per_task(before, plan.count)
}

/// Bytes per task that was spawned and has not run: the only worker is busy spawning.
pub async fn spawned(plan: Plan) -> (f64, String) {
    assert_eq!(plan.workers, 1);
    let before = usage::rss();
    for _ in 0..plan.count {
        drop(tokio::spawn(async {
            STARTED.fetch_add(1, Ordering::Relaxed);
        }));
    }
    assert_eq!(STARTED.load(Ordering::Relaxed), 0);
    per_task(before, plan.count)
}
