// SPDX-License-Identifier: MIT
//! What the process has used so far.
use std::mem::MaybeUninit;

fn rusage() -> libc::rusage {
    let mut u = MaybeUninit::zeroed();
    // SAFETY: getrusage fills the struct it is given.
    unsafe {
        libc::getrusage(libc::RUSAGE_SELF, u.as_mut_ptr());
        u.assume_init()
    }
}

fn ns(t: libc::timeval) -> u64 {
    t.tv_sec as u64 * 1_000_000_000 + t.tv_usec as u64 * 1000
}

/// User and system time of all threads.
pub fn cpu_ns() -> u64 {
    let u = rusage();
    ns(u.ru_utime) + ns(u.ru_stime)
}

/// Times a thread of this process went to sleep by itself, and so was woken.
pub fn voluntary_switches() -> u64 {
    rusage().ru_nvcsw as u64
}

/// Resident bytes.
pub fn rss() -> u64 {
    let text = std::fs::read_to_string("/proc/self/statm").expect("statm");
    let pages: u64 = text.split(' ').nth(1).expect("field").parse().expect("number");
    pages * 4096
}

/// The value at fraction `f` of a sorted slice.
pub fn quantile(sorted: &[u64], f: f64) -> u64 {
    let last = sorted.len() - 1;
    sorted[((last as f64) * f).round() as usize]
}

/// splitmix64: the same pseudo-random sequence in all three programs.
pub fn mix(seed: u64) -> u64 {
    let mut z = seed.wrapping_add(0x9E37_79B9_7F4A_7C15);
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// As many descriptors as the system lets this process have.
pub fn all_descriptors() {
    let mut limit = MaybeUninit::<libc::rlimit>::zeroed();
    // SAFETY: getrlimit fills the struct it is given, setrlimit reads it.
    unsafe {
        assert_eq!(libc::getrlimit(libc::RLIMIT_NOFILE, limit.as_mut_ptr()), 0);
        let mut limit = limit.assume_init();
        limit.rlim_cur = limit.rlim_max;
        assert_eq!(libc::setrlimit(libc::RLIMIT_NOFILE, &limit), 0);
    }
}
