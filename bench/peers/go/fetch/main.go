// SPDX-License-Identifier: MIT

// The fetches of `husako gen --api-server URL`, and nothing else: the index at /openapi/v3, then every
// document it names, at most -limit at a time. Documents are read to their end and dropped.
// `go-fetch [-workers N] [-limit N] URL` prints `documents=N bytes=N`.
package main

import (
	"encoding/json"
	"flag"
	"fmt"
	"io"
	"net/http"
	"os"
	"runtime"
	"sync"
	"sync/atomic"
)

func fail(err error) {
	fmt.Fprintln(os.Stderr, "go-fetch:", err)
	os.Exit(1)
}

func get(client *http.Client, url string) ([]byte, error) {
	response, err := client.Get(url)
	if err != nil {
		return nil, err
	}
	defer response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %s", url, response.Status)
	}
	return io.ReadAll(response.Body)
}

func main() {
	workers := flag.Int("workers", 2, "GOMAXPROCS")
	limit := flag.Int("limit", 16, "requests at a time")
	flag.Parse()
	if flag.NArg() != 1 {
		flag.Usage()
		os.Exit(2)
	}
	runtime.GOMAXPROCS(*workers)
	base := flag.Arg(0)
	client := &http.Client{Transport: &http.Transport{MaxIdleConnsPerHost: *limit}}
	text, err := get(client, base+"/openapi/v3")
	if err != nil {
		fail(err)
	}
	var index struct {
		Paths map[string]struct{ ServerRelativeURL string }
	}
	if err := json.Unmarshal(text, &index); err != nil {
		fail(err)
	}
	var bytes atomic.Int64
	var wg sync.WaitGroup
	slots := make(chan struct{}, *limit)
	for _, path := range index.Paths {
		slots <- struct{}{}
		wg.Add(1)
		go func(url string) {
			defer wg.Done()
			body, err := get(client, url)
			if err != nil {
				fail(err)
			}
			bytes.Add(int64(len(body)))
			<-slots
		}(base + path.ServerRelativeURL)
	}
	wg.Wait()
	fmt.Printf("documents=%d bytes=%d\n", len(index.Paths), bytes.Load())
}
