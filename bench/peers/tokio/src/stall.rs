// SPDX-License-Identifier: MIT
//! Tasks that hold their workers, and what that costs others.
use crate::Plan;
use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering::SeqCst};
use std::sync::Arc;
use std::time::{Duration, Instant};
use tokio::time::sleep;

const TICKERS: usize = 4;

fn hold(until: Instant, asleep: bool) {
    loop {
        let left = until.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return;
        }
        if asleep {
            std::thread::sleep(left);
        }
    }
}

async fn tick(measuring: Arc<AtomicBool>, over: Arc<AtomicBool>) -> (u128, u64, u64) {
    let (mut worst, mut late_ticks, mut ticks) = (0, 0, 0);
    while !over.load(SeqCst) {
        let due = Instant::now() + Duration::from_millis(1);
        sleep(Duration::from_millis(1)).await;
        if measuring.load(SeqCst) {
            let late = due.elapsed().as_nanos();
            worst = worst.max(late);
            late_ticks += u64::from(late > 5_000_000);
            ticks += 1;
        }
    }
    (worst, late_ticks, ticks)
}

/// Tasks hold one worker, or all of them, for `count` milliseconds, computing or asleep in the kernel, while
/// four others tick every millisecond: the latest tick, in milliseconds.
pub fn stall(plan: Plan, all: bool, asleep: bool) -> impl Future<Output = (f64, String)> + Send {
    async move {
        let measuring = Arc::new(AtomicBool::new(false));
        let over = Arc::new(AtomicBool::new(false));
        let tickers: Vec<_> =
            (0..TICKERS).map(|_| tokio::spawn(tick(measuring.clone(), over.clone()))).collect();
        sleep(Duration::from_millis(100)).await;
        measuring.store(true, SeqCst);
        let until = Instant::now() + Duration::from_millis(plan.count);
        let holders: Vec<_> = (0..if all { plan.workers } else { 1 })
            .map(|_| tokio::spawn(async move { hold(until, asleep) }))
            .collect();
        for holder in holders {
            holder.await.unwrap();
        }
        sleep(Duration::from_millis(20)).await;
        over.store(true, SeqCst);
        let (mut worst, mut late, mut ticks) = (0, 0, 0);
        for ticker in tickers {
            let (w, l, t) = ticker.await.unwrap();
            worst = worst.max(w);
            late += l;
            ticks += t;
        }
        (worst as f64 / 1e6, format!("ticks={ticks} late_5ms={late}"))
    }
}
