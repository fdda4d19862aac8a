package socket_test

import (
	"io"
	"net"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/socket"
)

// BenchmarkEcho sends 4 KB to and fro over 32 connections. See its threads change
// with perf stat -e context-switches.
func BenchmarkEcho(b *testing.B) {
	for name, wrap := range map[string]func(net.Conn) net.Conn{"standard": func(c net.Conn) net.Conn { return c }, "socket": socket.Conn} {
		b.Run(name, func(b *testing.B) {
			l, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				b.Fatal(err)
			}
			defer l.Close()
			go func() {
				for {
					c, err := l.Accept()
					if err != nil {
						return
					}
					go echo(wrap(c))
				}
			}()
			b.SetParallelism(16)
			b.ReportAllocs()
			b.RunParallel(func(pb *testing.PB) {
				c, err := net.Dial("tcp", l.Addr().String())
				if err != nil {
					b.Error(err)
					return
				}
				defer c.Close()
				c = wrap(c)
				buf := make([]byte, 4096)
				for pb.Next() {
					if _, err := c.Write(buf); err != nil {
						b.Error(err)
					}
					if _, err := io.ReadFull(c, buf); err != nil {
						b.Error(err)
					}
				}
			})
		})
	}
}

func echo(c net.Conn) {
	defer c.Close()
	buf := make([]byte, 8192)
	for {
		n, err := c.Read(buf)
		if err != nil {
			return
		}
		if _, err := c.Write(buf[:n]); err != nil {
			return
		}
	}
}
