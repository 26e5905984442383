// SPDX-License-Identifier: MIT
//! The benchmark programs of bench/ for Tokio. One run measures one scenario and prints one line:
//! `scenario workers value key=value...`. bench/README.md says what each scenario does; the Edo and Go
//! programs do the same with the same counts.
mod echo;
mod files;
mod memory;
mod ops;
mod sleep;
mod sockets;
mod stall;
mod usage;

use std::future::Future;
use std::process::exit;
use std::time::Instant;
use tokio::runtime::{Builder, Runtime};

/// What the command line asked for.
#[derive(Clone, Copy)]
pub struct Plan {
    pub workers: usize,
    pub count: u64,
    pub warmup: u64,
    pub current_thread: bool,
    pub io: bool,
}

fn build_runtime(plan: Plan) -> Runtime {
    let mut builder = if plan.current_thread {
        Builder::new_current_thread()
    } else {
        let mut b = Builder::new_multi_thread();
        b.worker_threads(plan.workers);
        b
    };
    if plan.io {
        builder.enable_io();
    }
    builder.enable_time().build().expect("runtime")
}

/// Runs `body` as a spawned task, so that it is on a worker and not on the thread of `block_on`.
fn on_worker<F, T>(plan: Plan, body: F) -> T
where
    F: Future<Output = T> + Send + 'static,
    T: Send + 'static,
{
    build_runtime(plan).block_on(async move { tokio::spawn(body).await.expect("task") })
}

/// Warms up, then times `count` operations: wall and CPU nanoseconds for each.
fn measure<F, Fut>(plan: Plan, mut run: F) -> (f64, String)
where
    F: FnMut(u64) -> Fut + Send + 'static,
    Fut: Future<Output = ()> + Send,
{
    on_worker(plan, async move {
        if plan.warmup > 0 {
            run(plan.warmup).await;
        }
        let cpu = usage::cpu_ns();
        let start = Instant::now();
        run(plan.count).await;
        let wall = start.elapsed().as_nanos() as f64;
        let cpu = (usage::cpu_ns() - cpu) as f64;
        let n = plan.count as f64;
        (wall / n, format!("cpu_ns={:.1}", cpu / n))
    })
}

fn run(scenario: &str, plan: Plan) -> Option<(f64, String)> {
    Some(match scenario {
        "spawn_join" => measure(plan, ops::spawn_join),
        "spawn_many" => measure(plan, ops::spawn_many),
        "yield" => measure(plan, ops::yielding),
        "ping_pong" => measure(plan, |n| ops::ping_pong(n, false)),
        "timeout" => measure(plan, |n| ops::ping_pong(n, true)),
        "blocking" => measure(plan, ops::blocking),
        "blocking_many" => measure(plan, ops::blocking_many),
        "chan_1_1" => measure(plan, |n| ops::channel(n, 1)),
        "chan_4_1" => measure(plan, |n| ops::channel(n, 4)),
        "timers" => measure(plan, ops::timers),
        "mutex" => measure(plan, ops::mutex),
        "skynet" => measure(plan, ops::skynet),
        "chain" => measure(plan, ops::chain),
        "fs_small" => measure(plan, files::small),
        "fs_large" => measure(plan, files::large),
        "fs_walk" => measure(plan, files::walk),
        "tcp_echo" => measure(plan, |n| echo::tcp_echo(n, echo::CLIENTS, 64)),
        "tcp_echo_1" => measure(plan, |n| echo::tcp_echo(n, 1, 64)),
        "tcp_echo_16k" => measure(plan, |n| echo::tcp_echo(n, echo::CLIENTS, echo::MAX)),
        "tcp_echo_1k" => measure(plan, |n| echo::tcp_echo(n, 1000, 64)),
        "tcp_echo_9k" => measure(plan, |n| echo::tcp_echo(n, 9000, 64)),
        "idle_conns" => on_worker(plan, echo::idle_conns(plan)),
        "connect" => measure(plan, sockets::connect),
        "udp_echo" => measure(plan, sockets::udp_echo),
        "udp_packets" => measure(plan, sockets::udp_packets),
        "spawn_2000" => measure(plan, ops::children),
        "sleepers" => on_worker(plan, sleep::sleepers(plan)),
        "idle" => on_worker(plan, sleep::idle(plan)),
        "wake" => on_worker(plan, sleep::wake(plan)),
        "stall_spin" => on_worker(plan, stall::stall(plan, true, false)),
        "stall_sleep" => on_worker(plan, stall::stall(plan, true, true)),
        "stall_spin_1" => on_worker(plan, stall::stall(plan, false, false)),
        "stall_sleep_1" => on_worker(plan, stall::stall(plan, false, true)),
        "mem_sleep" => on_worker(plan, memory::sleeping(plan)),
        "mem_spawn" => on_worker(plan, memory::spawned(plan)),
        _ => return None,
    })
}

fn usage_error() -> ! {
    eprintln!(
        "usage: tokio-bench SCENARIO [--workers N] [--count N] [--warmup N] [--flavor multi|current]"
    );
    exit(2)
}

fn main() {
    let mut args = std::env::args().skip(1);
    let scenario = args.next().unwrap_or_else(|| usage_error());
    let mut plan = Plan { workers: 1, count: 100_000, warmup: 0, current_thread: false, io: false };
    while let Some(flag) = args.next() {
        let value = args.next().unwrap_or_else(|| usage_error());
        let number = || value.parse::<u64>().unwrap_or_else(|_| usage_error());
        match flag.as_str() {
            "--workers" => plan.workers = number() as usize,
            "--count" => plan.count = number(),
            "--warmup" => plan.warmup = number(),
            "--flavor" => plan.current_thread = value == "current",
            _ => usage_error(),
        }
    }
    plan.io = ["tcp_", "udp_", "connect", "idle_conns", "spawn_2000"]
        .iter()
        .any(|p| scenario.starts_with(p));
    usage::all_descriptors();
    match run(&scenario, plan) {
        Some((value, extra)) => {
            println!("{scenario} {} {value:.1} {extra}", plan.workers);
            exit(0) // without taking a million tasks down one by one
        }
        None => exit(3), // this peer has no such scenario
    }
}
