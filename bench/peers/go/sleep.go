// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"runtime"
	"sync"
	"sync/atomic"
	"time"
)

const (
	naps      = 5
	napMaxUs  = 1000000
	idleTasks = 1000
	wakeLoad  = 8
	wakeBurst = 50 * time.Microsecond
)

// memSleep: bytes per goroutine once all of them sleep for an hour.
func memSleep(p plan) (float64, string) {
	var started atomic.Int64
	before := rss()
	for i := 0; i < p.count; i++ {
		go func() {
			started.Add(1)
			time.Sleep(time.Hour)
		}()
	}
	for started.Load() < int64(p.count) {
		time.Sleep(10 * time.Millisecond)
	}
	time.Sleep(100 * time.Millisecond)
	now := rss()
	return float64(now-before) / float64(p.count), fmt.Sprintf("rss_mib=%d", now>>20)
}

// sleepers: count tasks that each sleep five pseudo-random times up to one second; p99 lateness in us.
func sleepers(p plan) (float64, string) {
	cpu := cpuNs()
	late := make([]int64, p.count*naps)
	var wg sync.WaitGroup
	wg.Add(p.count)
	for id := 0; id < p.count; id++ {
		go func(id int) {
			for i := id * naps; i < (id+1)*naps; i++ {
				nap := time.Duration(mix(uint64(i))%napMaxUs) * time.Microsecond
				due := time.Now().Add(nap)
				time.Sleep(nap)
				late[i] = time.Since(due).Nanoseconds()
			}
			wg.Done()
		}(id)
	}
	wg.Wait()
	return summary(late, cpuNs()-cpu)
}

// idle: wake-ups of threads in a second while a thousand tasks sleep; count is the window in ms.
func idle(p plan) (float64, string) {
	for i := 0; i < idleTasks; i++ {
		go time.Sleep(time.Hour)
	}
	time.Sleep(2 * time.Second)
	switches, cpu := voluntarySwitches(), cpuNs()
	time.Sleep(time.Duration(p.count) * time.Millisecond)
	switches, cpu = voluntarySwitches()-switches, cpuNs()-cpu
	window := float64(p.count)
	return float64(switches) * 1000 / window, fmt.Sprintf("cpu_us_per_s=%.1f", float64(cpu)/window)
}

// wake: eight tasks compute 50 us and yield for ever; a ticker wakes a waiter every millisecond; the time
// from there to running again, p99 in microseconds.
func wake(p plan) (float64, string) {
	for i := 0; i < wakeLoad; i++ {
		go func() {
			for {
				for start := time.Now(); time.Since(start) < wakeBurst; {
				}
				runtime.Gosched()
			}
		}()
	}
	bell := make(chan time.Time, 1)
	done := make(chan []int64)
	go func() {
		late := make([]int64, 0, p.count)
		for at := range bell {
			late = append(late, time.Since(at).Nanoseconds())
		}
		done <- late
	}()
	cpu := cpuNs()
	for i := 0; i < p.count; i++ {
		time.Sleep(time.Millisecond)
		bell <- time.Now()
	}
	close(bell)
	late := <-done
	return summary(late, cpuNs()-cpu)
}
