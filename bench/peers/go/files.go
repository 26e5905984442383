// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

const (
	smallFiles  = 10000
	smallSize   = 4096
	smallPerDir = 100
	readers     = 16
	largeBuffer = 65536
	walkEntries = 100000
)

func benchDir() string {
	if dir := os.Getenv("EDO_BENCH_DIR"); dir != "" {
		return dir
	}
	return "/tmp/edo-bench"
}

// fsSmall reads files of 4 KiB whole; the Edo program has made them.
func fsSmall(n int) {
	dir := filepath.Join(benchDir(), "small")
	var next int64
	var wg sync.WaitGroup
	for r := 0; r < readers; r++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for {
				i := int(atomic.AddInt64(&next, 1)) - 1
				if i >= n {
					return
				}
				i %= smallFiles
				data, err := os.ReadFile(fmt.Sprintf("%s/%d/%d", dir, i/smallPerDir, i))
				check(err == nil && len(data) == smallSize)
			}
		}()
	}
	wg.Wait()
}

func fsLarge(n int) {
	path := filepath.Join(benchDir(), "large")
	info, err := os.Stat(path)
	check(err == nil)
	reads := int(info.Size() / largeBuffer)
	buf := make([]byte, largeBuffer)
	var f *os.File
	for i := 0; i < n; i++ {
		if i%reads == 0 {
			f.Close()
			f, err = os.Open(path)
			check(err == nil)
		}
		_, err = io.ReadFull(f, buf)
		check(err == nil)
	}
	f.Close()
}

func fsWalk(n int) {
	for left := n; left > 0; left -= walkEntries {
		seen := -1 // the root
		err := filepath.WalkDir(filepath.Join(benchDir(), "walk"), func(_ string, _ fs.DirEntry, err error) error {
			seen++
			return err
		})
		check(err == nil && seen == walkEntries)
	}
}
