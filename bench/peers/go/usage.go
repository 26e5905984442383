// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"math"
	"os"
	"sort"
	"syscall"
)

func rusage() syscall.Rusage {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err)
	}
	return u
}

// cpuNs is the user and system time of all threads.
func cpuNs() int64 {
	u := rusage()
	return u.Utime.Nano() + u.Stime.Nano()
}

// voluntarySwitches counts how often a thread of this process went to sleep by itself, and so was woken.
func voluntarySwitches() int64 { return rusage().Nvcsw }

// rss is the resident size in bytes.
func rss() int64 {
	text, err := os.ReadFile("/proc/self/statm")
	if err != nil {
		panic(err)
	}
	var size, resident int64
	if _, err := fmt.Sscan(string(text), &size, &resident); err != nil {
		panic(err)
	}
	return resident * 4096
}

// mix is splitmix64: the same pseudo-random sequence in all three programs.
func mix(seed uint64) uint64 {
	z := seed + 0x9E3779B97F4A7C15
	z = (z ^ (z >> 30)) * 0xBF58476D1CE4E5B9
	z = (z ^ (z >> 27)) * 0x94D049BB133111EB
	return z ^ (z >> 31)
}

// summary gives p99 of late in microseconds and the other figures as text.
func summary(late []int64, cpu int64) (float64, string) {
	sort.Slice(late, func(i, j int) bool { return late[i] < late[j] })
	at := func(f float64) float64 {
		return float64(late[int(math.Round(float64(len(late)-1)*f))]) / 1000
	}
	return at(0.99), fmt.Sprintf("p50_us=%.1f max_us=%.1f cpu_ms=%.1f", at(0.5), at(1), float64(cpu)/1e6)
}
