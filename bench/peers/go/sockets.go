// SPDX-License-Identifier: MIT

package main

import (
	"io"
	"net"
	"sync"
)

const (
	connectClients = 16
	udpClients     = 50
	udpSize        = 64
	udpWindow      = 64
)

func must(err error) {
	if err != nil {
		panic(err)
	}
}

// connect: clients connect, send a byte, get it back and reset the connection, so that no port is kept.
func connect(n int) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(err)
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				var b [1]byte
				if _, err := c.Read(b[:]); err == nil {
					_, err = c.Write(b[:])
					must(err)
				}
				if _, err := c.Read(b[:]); err == nil {
					panic("more than a byte")
				}
				c.Close()
			}()
		}
	}()
	var wg sync.WaitGroup
	for k := 0; k < connectClients; k++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			for i := 0; i < n/connectClients; i++ {
				c, err := net.Dial("tcp", l.Addr().String())
				must(err)
				must(c.(*net.TCPConn).SetLinger(0))
				out, in := [1]byte{byte(i)}, [1]byte{}
				_, err = c.Write(out[:])
				must(err)
				_, err = io.ReadFull(c, in[:])
				must(err)
				if in != out {
					panic("another byte")
				}
				c.Close()
			}
		}()
	}
	wg.Wait()
	l.Close()
}

func udpSocket() *net.UDPConn {
	c, err := net.ListenUDP("udp4", &net.UDPAddr{IP: net.IPv4(127, 0, 0, 1)})
	must(err)
	return c
}

// udpEcho: round trips of a datagram, udpClients sockets to one.
func udpEcho(n int) {
	server := udpSocket()
	go func() {
		var buf [udpSize]byte
		for {
			n, from, err := server.ReadFromUDPAddrPort(buf[:])
			if err != nil {
				return
			}
			_, err = server.WriteToUDPAddrPort(buf[:n], from)
			must(err)
		}
	}()
	var wg sync.WaitGroup
	for k := 0; k < udpClients; k++ {
		wg.Add(1)
		go func() {
			defer wg.Done()
			c, err := net.DialUDP("udp4", nil, server.LocalAddr().(*net.UDPAddr))
			must(err)
			var out, in [udpSize]byte
			for i := 0; i < n/udpClients; i++ {
				for j := range out {
					out[j] = byte(i)
				}
				_, err = c.Write(out[:])
				must(err)
				_, err = c.Read(in[:])
				must(err)
				if in != out {
					panic("another datagram")
				}
			}
			c.Close()
		}()
	}
	wg.Wait()
	server.Close()
}

// udpPackets: one goroutine sends to another, udpWindow at a time, which must have arrived before the next.
func udpPackets(n int) {
	from, to := udpSocket(), udpSocket()
	address := to.LocalAddr().(*net.UDPAddr).AddrPort()
	arrived := make(chan struct{}, 1)
	windows := n / udpWindow
	go func() {
		var buf [udpSize]byte
		for i := 0; i < windows; i++ {
			for k := 0; k < udpWindow; k++ {
				n, _, err := to.ReadFromUDPAddrPort(buf[:])
				must(err)
				if n != udpSize {
					panic("another size")
				}
			}
			arrived <- struct{}{}
		}
	}()
	var data [udpSize]byte
	for i := 0; i < windows; i++ {
		for k := 0; k < udpWindow; k++ {
			_, err := from.WriteToUDPAddrPort(data[:], address)
			must(err)
		}
		<-arrived
	}
	from.Close()
	to.Close()
}
