// SPDX-License-Identifier: MIT
package main

import (
	"fmt"
	"sync"
	"sync/atomic"
	"syscall"
	"time"
)

const stallTickers = 4

type tickLog struct{ worst, late, ticks int64 }

func stallHold(until time.Time, asleep bool) {
	for left := time.Until(until); left > 0; left = time.Until(until) {
		if asleep {
			t := syscall.NsecToTimespec(left.Nanoseconds())
			syscall.Nanosleep(&t, nil)
		}
	}
}

func stallTick(log *tickLog, measuring, over *atomic.Bool) {
	for !over.Load() {
		due := time.Now().Add(time.Millisecond)
		time.Sleep(time.Millisecond)
		late := time.Since(due).Nanoseconds()
		if !measuring.Load() {
			continue
		}
		if late > log.worst {
			log.worst = late
		}
		if late > 5e6 {
			log.late++
		}
		log.ticks++
	}
}

// stall: goroutines hold one processor, or all of them, for count milliseconds, computing or asleep in the
// kernel, while four others tick every millisecond: the latest tick, in milliseconds.
func stall(p plan, all, asleep bool) (float64, string) {
	var logs [stallTickers]tickLog
	var measuring, over atomic.Bool
	var tickers, holders sync.WaitGroup
	tickers.Add(stallTickers)
	for i := range logs {
		go func(log *tickLog) {
			stallTick(log, &measuring, &over)
			tickers.Done()
		}(&logs[i])
	}
	time.Sleep(100 * time.Millisecond)
	measuring.Store(true)
	n := 1
	if all {
		n = p.workers
	}
	until := time.Now().Add(time.Duration(p.count) * time.Millisecond)
	holders.Add(n)
	for i := 0; i < n; i++ {
		go func() {
			stallHold(until, asleep)
			holders.Done()
		}()
	}
	holders.Wait()
	time.Sleep(20 * time.Millisecond)
	over.Store(true)
	tickers.Wait()
	var sum tickLog
	for _, log := range logs {
		if log.worst > sum.worst {
			sum.worst = log.worst
		}
		sum.late += log.late
		sum.ticks += log.ticks
	}
	return float64(sum.worst) / 1e6, fmt.Sprintf("ticks=%d late_5ms=%d", sum.ticks, sum.late)
}
