//go:build unix

package upstream_test

import (
	"bufio"
	"context"
	"io"
	"net"
	"strconv"
	"strings"
	"syscall"
	"testing"

	"github.com/gptmesh/gptmesh/pkg/upstream"
)

// mock answers every request with the same bytes and spends as little as it can on it.
func mock(b *testing.B, answer string) upstream.Target {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = l.Close() })
	go func() {
		for {
			c, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer func() { _ = c.Close() }()
				in := bufio.NewReaderSize(c, 16<<10)
				for {
					length := 0
					for {
						line, err := in.ReadSlice('\n')
						if err != nil {
							return
						}
						if len(line) == 2 {
							break
						}
						if rest, ok := strings.CutPrefix(string(line), "Content-Length: "); ok {
							length, _ = strconv.Atoi(strings.TrimSpace(rest))
						}
					}
					if _, err := in.Discard(length); err != nil {
						return
					}
					if _, err := io.WriteString(c, answer); err != nil {
						return
					}
				}
			}()
		}
	}()
	return target(b, "http://"+l.Addr().String()+"/v1/chat/completions")
}

func benchmark(b *testing.B, answer string) {
	for _, transport := range []string{upstream.TransportLean, upstream.TransportStandard} {
		b.Run(transport, func(b *testing.B) {
			req := post(mock(b, answer), strings.Repeat("x", 2<<10))
			req.Header = upstream.Header{{Name: "Authorization", Value: "Bearer key"}, {Name: "Content-Type", Value: "application/json"}}
			c := client(b, upstream.Config{Transport: transport})
			ctx, cancel := context.WithCancel(b.Context())
			defer cancel()
			room := make([]byte, 16<<10)
			b.ReportAllocs()
			before := cpu()
			for b.Loop() {
				resp, err := c.Do(ctx, req)
				if err != nil {
					b.Fatal(err)
				}
				for err == nil {
					_, err = resp.Body.Read(room)
				}
				if err != io.EOF {
					b.Fatal(err)
				}
				_ = resp.Body.Close()
			}
			b.ReportMetric(float64(cpu()-before)/float64(b.N), "cpu-ns/op")
		})
	}
}

// cpu is the time that this process, client and mock together, has used.
func cpu() int64 {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		return 0
	}
	return u.Utime.Nano() + u.Stime.Nano()
}

func BenchmarkJSON(b *testing.B) {
	benchmark(b, "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Request-Id: 1\r\nContent-Length: 1300\r\n\r\n"+strings.Repeat("y", 1300))
}

func BenchmarkStream(b *testing.B) {
	event := "109\r\n" + strings.Repeat("z", 0x109) + "\r\n"
	benchmark(b, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n"+strings.Repeat(event, 40)+"0\r\n\r\n")
}
