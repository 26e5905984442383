// SPDX-License-Identifier: MIT
//! Timers and wake-ups.
use crate::{usage, Plan};
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;
use tokio::sync::Notify;
use tokio::time::{sleep, sleep_until, Instant};

const NAPS: u64 = 5;
const NAP_MAX_US: u64 = 1_000_000;
const IDLE_TASKS: u64 = 1000;
const HOUR: Duration = Duration::from_secs(3600);

fn summary(mut late: Vec<u64>, cpu: u64) -> (f64, String) {
    late.sort_unstable();
    let at = |f| usage::quantile(&late, f) as f64 / 1000.0;
    let extra =
        format!("p50_us={:.1} max_us={:.1} cpu_ms={:.1}", at(0.5), at(1.0), cpu as f64 / 1e6);
    (at(0.99), extra)
}

async fn sleeper(id: u64) -> [u64; NAPS as usize] {
    let mut late = [0; NAPS as usize];
    for i in 0..NAPS {
        let nap = usage::mix(id * NAPS + i) % NAP_MAX_US;
        let due = Instant::now() + Duration::from_micros(nap);
        sleep_until(due).await;
        late[i as usize] = due.elapsed().as_nanos() as u64;
    }
    late
}

/// `count` tasks that each sleep five pseudo-random times up to one second: p99 lateness in microseconds.
pub fn sleepers(plan: Plan) -> impl Future<Output = (f64, String)> + Send {
    async move {
        let cpu = usage::cpu_ns();
        let tasks: Vec<_> = (0..plan.count).map(|id| tokio::spawn(sleeper(id))).collect();
        let mut late = Vec::with_capacity((plan.count * NAPS) as usize);
        for task in tasks {
            late.extend_from_slice(&task.await.unwrap());
        }
        let cpu = usage::cpu_ns() - cpu;
        summary(late, cpu)
    }
}

/// Wake-ups of threads in a second while a thousand tasks sleep; `count` is the window in milliseconds.
pub fn idle(plan: Plan) -> impl Future<Output = (f64, String)> + Send {
    async move {
        for _ in 0..IDLE_TASKS {
            drop(tokio::spawn(sleep(HOUR)));
        }
        sleep(Duration::from_secs(2)).await;
        let (switches, cpu) = (usage::voluntary_switches(), usage::cpu_ns());
        sleep(Duration::from_millis(plan.count)).await;
        let switches = usage::voluntary_switches() - switches;
        let cpu = usage::cpu_ns() - cpu;
        (
            switches as f64 * 1000.0 / plan.count as f64,
            format!("cpu_us_per_s={:.1}", cpu as f64 / plan.count as f64),
        )
    }
}

const WAKE_LOAD: u64 = 8;
const WAKE_BURST_US: u64 = 50;

/// Wake-to-run under load: eight tasks compute 50 us and yield for ever; a ticker notifies a waiter every
/// millisecond; the time from notify to running again, p99 in microseconds.
pub fn wake(plan: Plan) -> impl Future<Output = (f64, String)> + Send {
    async move {
        for _ in 0..WAKE_LOAD {
            tokio::spawn(async {
                loop {
                    let end = Instant::now() + Duration::from_micros(WAKE_BURST_US);
                    while Instant::now() < end {
                        std::hint::spin_loop();
                    }
                    tokio::task::yield_now().await;
                }
            });
        }
        let notify = Arc::new(Notify::new());
        let stamp = Arc::new(std::sync::Mutex::new(Instant::now()));
        let (n2, s2) = (notify.clone(), stamp.clone());
        let waiter = tokio::spawn(async move {
            let mut late = Vec::with_capacity(plan.count as usize);
            for _ in 0..plan.count {
                n2.notified().await;
                late.push(s2.lock().unwrap().elapsed().as_nanos() as u64);
            }
            late
        });
        let cpu = usage::cpu_ns();
        for _ in 0..plan.count {
            sleep(Duration::from_millis(1)).await;
            *stamp.lock().unwrap() = Instant::now();
            notify.notify_one();
        }
        let late = waiter.await.unwrap();
        summary(late, usage::cpu_ns() - cpu)
    }
}
