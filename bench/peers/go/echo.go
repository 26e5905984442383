// SPDX-License-Identifier: MIT

package main

import (
	"fmt"
	"io"
	"net"
	"sync"
	"syscall"
	"time"
)

const (
	echoClients = 50
	echoMax     = 16384
	idleBuffer  = 4096
)

func serveEcho(c net.Conn, size int) {
	buf := make([]byte, size)
	for {
		n, err := c.Read(buf)
		if err != nil {
			break
		}
		if _, err := c.Write(buf[:n]); err != nil {
			break
		}
	}
	c.Close()
}

// tcpEcho: n round trips of a message over so many connections, clients and server in one process.
func tcpEcho(n, clients, size int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	var servers, wg sync.WaitGroup
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			servers.Add(1)
			go func() {
				defer servers.Done()
				serveEcho(c, echoMax)
			}()
		}
	}()
	wg.Add(clients)
	for i := 0; i < clients; i++ {
		go func() {
			defer wg.Done()
			c, err := net.Dial("tcp", l.Addr().String())
			must(err)
			out, in := make([]byte, size), make([]byte, size)
			for k := 0; k < n/clients; k++ {
				for b := range out {
					out[b] = byte(k)
				}
				_, err := c.Write(out)
				must(err)
				_, err = io.ReadFull(c, in)
				must(err)
				if in[0] != out[0] || in[size-1] != out[size-1] {
					panic("another message came back")
				}
			}
			must(c.Close())
		}()
	}
	wg.Wait()
	must(l.Close())
	servers.Wait()
}

// idleConns: bytes per connection that has passed a message on once and waits for the next. The peers are
// bare sockets, so that they cost nothing here but kernel memory.
func idleConns(p plan) (float64, string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	to := &syscall.SockaddrInet4{Port: l.Addr().(*net.TCPAddr).Port, Addr: [4]byte{127, 0, 0, 1}}
	before := rss()
	for i := 0; i < p.count; i++ {
		fd, err := syscall.Socket(syscall.AF_INET, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
		must(err)
		must(syscall.Connect(fd, to))
		var c [1]byte
		_, err = syscall.Write(fd, []byte("x"))
		must(err)
		s, err := l.Accept()
		must(err)
		go serveEcho(s, idleBuffer)
		if n, err := syscall.Read(fd, c[:]); n != 1 || err != nil {
			panic("no answer")
		}
	}
	time.Sleep(100 * time.Millisecond)
	now := rss()
	return float64(now-before) / float64(p.count), fmt.Sprintf("rss_mib=%d", now>>20)
}
