// SPDX-License-Identifier: MIT
//! The fetches of `husako gen --api-server URL`, and nothing else: the index at /openapi/v3, then every
//! document it names, at most `--limit` at a time. Documents are read to their end and dropped.
//! `tokio-fetch URL [--workers N] [--limit N]` prints `documents=N bytes=N`.
use futures_util::{stream, StreamExt, TryStreamExt};
use std::error::Error;
use tokio::runtime::Builder;

async fn fetch_all(base: String, limit: usize) -> Result<(u64, u64), Box<dyn Error + Send + Sync>> {
    let client = reqwest::Client::new();
    let text = client.get(format!("{base}/openapi/v3")).send().await?.error_for_status()?;
    let index: serde_json::Value = serde_json::from_slice(&text.bytes().await?)?;
    let paths = index["paths"].as_object().ok_or("no paths in the index")?;
    let urls: Vec<String> = paths
        .values()
        .filter_map(|p| p["serverRelativeURL"].as_str())
        .map(|url| format!("{base}{url}"))
        .collect();
    let sizes = stream::iter(urls).map(|url| {
        let client = client.clone();
        async move {
            let task = tokio::spawn(async move {
                client.get(url).send().await?.error_for_status()?.bytes().await
            });
            Ok::<_, Box<dyn Error + Send + Sync>>(task.await??.len() as u64)
        }
    });
    sizes
        .buffer_unordered(limit)
        .try_fold((0, 0), |(n, bytes), size| async move { Ok((n + 1, bytes + size)) })
        .await
}

fn main() -> Result<(), Box<dyn Error + Send + Sync>> {
    let mut args = std::env::args().skip(1);
    let base = args.next().ok_or("usage: tokio-fetch URL [--workers N] [--limit N]")?;
    let (mut workers, mut limit) = (2, 16);
    while let (Some(flag), Some(value)) = (args.next(), args.next()) {
        match flag.as_str() {
            "--workers" => workers = value.parse()?,
            "--limit" => limit = value.parse()?,
            _ => return Err("unknown flag".into()),
        }
    }
    let runtime = Builder::new_multi_thread().worker_threads(workers).enable_all().build()?;
    let (documents, bytes) =
        runtime.block_on(async { tokio::spawn(fetch_all(base, limit)).await })??;
    println!("documents={documents} bytes={bytes}");
    Ok(())
}
