// SPDX-License-Identifier: MIT

package main

import (
	"runtime"
	"sync"
	"time"
)

const (
	batchSize = 10000
	yielders  = 16
	capacity  = 128
	lockers   = 4
	fanout    = 10
)

func check(ok bool) {
	if !ok {
		panic("wrong result")
	}
}

func spawnJoin(n int) {
	var wg sync.WaitGroup
	for i := 0; i < n; i++ {
		wg.Add(1)
		go wg.Done()
		wg.Wait()
	}
}

func spawnMany(n int) {
	var wg sync.WaitGroup
	for left := n; left > 0; left -= batchSize {
		batch := batchSize
		if left < batch {
			batch = left
		}
		wg.Add(batch)
		for i := 0; i < batch; i++ {
			go wg.Done()
		}
		wg.Wait()
	}
}

func yield(n int) {
	var wg sync.WaitGroup
	wg.Add(yielders)
	for t := 0; t < yielders; t++ {
		go func() {
			for i := 0; i < n/yielders; i++ {
				runtime.Gosched()
			}
			wg.Done()
		}()
	}
	wg.Wait()
}

// receive takes a value, within an hour if timer is set.
func receive(c <-chan int, timer *time.Timer) (int, bool) {
	if timer == nil {
		v, ok := <-c
		return v, ok
	}
	timer.Reset(time.Hour)
	select {
	case v, ok := <-c:
		timer.Stop()
		return v, ok
	case <-timer.C:
		panic("an hour")
	}
}

func newTimer(deadline bool) *time.Timer {
	if !deadline {
		return nil
	}
	timer := time.NewTimer(time.Hour)
	timer.Stop()
	return timer
}

// pingPong: a round trip between two tasks over two channels for one value.
func pingPong(n int, deadline bool) {
	ping, pong := make(chan int, 1), make(chan int, 1)
	var wg sync.WaitGroup
	wg.Add(2)
	go func() {
		timer := newTimer(deadline)
		for v, ok := receive(ping, timer); ok; v, ok = receive(ping, timer) {
			pong <- v
		}
		wg.Done()
	}()
	go func() {
		timer := newTimer(deadline)
		for i := 0; i < n; i++ {
			ping <- i
			v, ok := receive(pong, timer)
			check(ok && v == i)
		}
		close(ping)
		wg.Done()
	}()
	wg.Wait()
}

func channel(n, senders int) {
	c := make(chan int, capacity)
	each := n / senders
	var wg sync.WaitGroup
	wg.Add(senders)
	for t := 0; t < senders; t++ {
		go func() {
			for i := 0; i < each; i++ {
				c <- i
			}
			wg.Done()
		}()
	}
	done := make(chan int)
	go func() {
		sum := 0
		for v := range c {
			sum += v
		}
		done <- sum
	}()
	wg.Wait()
	close(c)
	check(<-done == senders*(each*(each-1)/2))
}

func mutex(n int) {
	var m sync.Mutex
	var wg sync.WaitGroup
	total, each := 0, n/lockers
	wg.Add(lockers)
	for t := 0; t < lockers; t++ {
		go func() {
			for i := 0; i < each; i++ {
				m.Lock()
				total++
				m.Unlock()
			}
			wg.Done()
		}()
	}
	wg.Wait()
	check(total == each*lockers)
}

func skynetNode(up chan<- int, first, size int) {
	if size == 1 {
		up <- first
		return
	}
	c := make(chan int, fanout)
	for i := 0; i < fanout; i++ {
		go skynetNode(c, first+i*(size/fanout), size/fanout)
	}
	sum := 0
	for i := 0; i < fanout; i++ {
		sum += <-c
	}
	up <- sum
}

// skynet needs a power of ten.
func skynet(n int) {
	c := make(chan int, 1)
	go skynetNode(c, 0, n)
	check(<-c == n*(n-1)/2)
}

func link(left int, done chan<- bool) {
	if left == 0 {
		done <- true
		return
	}
	go link(left-1, done)
}

func chain(n int) {
	done := make(chan bool, 1)
	go link(n-1, done)
	<-done
}

// Timers of a second to an hour: all are made, then all are stopped.
func timers(n int) {
	all := make([]*time.Timer, 0, n)
	for i := 0; i < n; i++ {
		all = append(all, time.NewTimer(time.Duration(1000+i*7919%3600000)*time.Millisecond))
	}
	for _, t := range all {
		check(t.Stop())
	}
}
