// SPDX-License-Identifier: MIT

// The benchmark programs of bench/ for Go. One run measures one scenario and prints one line:
// `scenario workers value key=value...`. bench/README.md says what each scenario does; the Edo and
// Tokio programs do the same with the same counts.
//
//go:debug asynctimerchan=0
package main

import (
	"fmt"
	"os"
	"runtime"
	"strconv"
	"time"
)

type plan struct {
	workers       int
	count, warmup int
}

// measure warms up, then times count operations: wall and CPU nanoseconds for each.
func measure(run func(n int)) func(plan) (float64, string) {
	return func(p plan) (float64, string) {
		if p.warmup > 0 {
			run(p.warmup)
		}
		cpu := cpuNs()
		start := time.Now()
		run(p.count)
		wall := float64(time.Since(start).Nanoseconds())
		n := float64(p.count)
		return wall / n, fmt.Sprintf("cpu_ns=%.1f", float64(cpuNs()-cpu)/n)
	}
}

var scenarios = map[string]func(plan) (float64, string){
	"spawn_join": measure(spawnJoin),
	"spawn_many": measure(spawnMany),
	"yield":      measure(yield),
	"ping_pong":  measure(func(n int) { pingPong(n, false) }),
	"timeout":    measure(func(n int) { pingPong(n, true) }),
	"chan_1_1":   measure(func(n int) { channel(n, 1) }),
	"chan_4_1":   measure(func(n int) { channel(n, 4) }),
	"timers":     measure(timers),
	"mutex":      measure(mutex),
	"skynet":     measure(skynet),
	"chain":      measure(chain),
	"tcp_echo":   measure(func(n int) { tcpEcho(n, echoClients, 64) }),
	"fs_small":   measure(fsSmall),
	"fs_large":   measure(fsLarge),
	"fs_walk":    measure(fsWalk),
	"spawn_2000": measure(spawn2000),
	"sleepers":   sleepers,
	"idle":       idle,
	"wake":       wake,

	"connect":     measure(connect),
	"udp_echo":    measure(udpEcho),
	"udp_packets": measure(udpPackets),

	"stall_spin":    func(p plan) (float64, string) { return stall(p, true, false) },
	"stall_sleep":   func(p plan) (float64, string) { return stall(p, true, true) },
	"stall_spin_1":  func(p plan) (float64, string) { return stall(p, false, false) },
	"stall_sleep_1": func(p plan) (float64, string) { return stall(p, false, true) },

	"tcp_echo_1":   measure(func(n int) { tcpEcho(n, 1, 64) }),
	"tcp_echo_16k": measure(func(n int) { tcpEcho(n, echoClients, echoMax) }),
	"tcp_echo_1k":  measure(func(n int) { tcpEcho(n, 1000, 64) }),
	"tcp_echo_9k":  measure(func(n int) { tcpEcho(n, 9000, 64) }),
	"mem_sleep":    memSleep,
	"idle_conns":   idleConns,
}

func usage() {
	fmt.Fprintln(os.Stderr, "usage: go-bench SCENARIO [--workers N] [--count N] [--warmup N]")
	os.Exit(2)
}

func main() {
	if len(os.Args) < 2 || len(os.Args)%2 != 0 {
		usage()
	}
	p := plan{workers: 1, count: 100000}
	for i := 2; i < len(os.Args); i += 2 {
		value, err := strconv.Atoi(os.Args[i+1])
		if err != nil {
			usage()
		}
		switch os.Args[i] {
		case "--workers":
			p.workers = value
		case "--count":
			p.count = value
		case "--warmup":
			p.warmup = value
		default:
			usage()
		}
	}
	run, ok := scenarios[os.Args[1]]
	if !ok {
		os.Exit(3) // this peer has no such scenario
	}
	runtime.GOMAXPROCS(p.workers)
	value, extra := run(p)
	fmt.Printf("%s %d %.1f %s\n", os.Args[1], p.workers, value, extra)
}
