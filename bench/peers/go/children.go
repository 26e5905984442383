// SPDX-License-Identifier: MIT

package main

import (
	"os/exec"
	"sync"
)

const children = 20

// spawn2000: child processes, so many at a time.
func spawn2000(n int) {
	var wg sync.WaitGroup
	wg.Add(children)
	for t := 0; t < children; t++ {
		go func() {
			for i := 0; i < n/children; i++ {
				check(exec.Command("/bin/true").Run() == nil)
			}
			wg.Done()
		}()
	}
	wg.Wait()
}
