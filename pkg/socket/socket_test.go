package socket_test

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/pkg/socket"
	"golang.org/x/net/nettest"
)

// pair is both ends of one connection.
func pair(network, address string) (near, far net.Conn, stop func(), err error) {
	l, err := net.Listen(network, address)
	if err != nil {
		return nil, nil, nil, err
	}
	accepted := make(chan net.Conn, 1)
	go func() {
		defer close(accepted)
		if c, err := socket.Listener(l).Accept(); err == nil {
			accepted <- c
		}
	}()
	near, err = socket.Dial((&net.Dialer{}).DialContext)(context.Background(), network, l.Addr().String())
	if err != nil {
		_ = l.Close()
		return nil, nil, nil, err
	}
	far, ok := <-accepted
	_ = l.Close()
	if !ok {
		_ = near.Close()
		return nil, nil, nil, errors.New("not accepted")
	}
	return near, far, func() { _, _ = near.Close(), far.Close() }, nil
}

// TestConn holds both kinds of sockets to what is asked of any connection: order,
// deadlines, closing, concurrent use.
func TestConn(t *testing.T) {
	t.Parallel()
	t.Run("tcp", func(t *testing.T) {
		nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) { return pair("tcp", "127.0.0.1:0") })
	})
	t.Run("unix", func(t *testing.T) {
		dir := t.TempDir()
		nettest.TestConn(t, func() (net.Conn, net.Conn, func(), error) { return pair("unix", filepath.Join(dir, "s")) })
	})
}

// TestErrors: callers tell errors apart as those of the standard library.
func TestErrors(t *testing.T) {
	t.Parallel()
	near, far, stop, err := pair("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	_ = near.SetReadDeadline(time.Unix(1, 0))
	_, err = near.Read(make([]byte, 1))
	var of *net.OpError
	if !errors.Is(err, os.ErrDeadlineExceeded) || !errors.As(err, &of) || of.Op != "read" || !of.Timeout() || of.Net != "tcp" || of.Addr == nil {
		t.Errorf("read after the deadline: %#v", err)
	}
	_ = near.SetReadDeadline(time.Time{})
	_ = far.(interface{ CloseWrite() error }).CloseWrite()
	if n, err := near.Read(make([]byte, 1)); n != 0 || err != io.EOF {
		t.Errorf("read at the end: %d, %v", n, err)
	}
	_ = near.Close()
	for op, do := range map[string]func([]byte) (int, error){"read": near.Read, "write": near.Write} {
		for _, size := range []int{0, 1} {
			if _, err := do(make([]byte, size)); !errors.Is(err, net.ErrClosed) || !errors.As(err, &of) || of.Op != op {
				t.Errorf("%s of %d bytes after closing: %v", op, size, err)
			}
		}
	}
}

// TestMuch writes more than the kernel takes at once.
func TestMuch(t *testing.T) {
	t.Parallel()
	near, far, stop, err := pair("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer stop()
	sent := bytes.Repeat([]byte("0123456789abcde\n"), 1<<19)
	go func() {
		defer near.Close()
		if n, err := near.Write(sent); n != len(sent) || err != nil {
			t.Errorf("wrote %d bytes, %v", n, err)
		}
	}()
	got, err := io.ReadAll(far)
	if err != nil || !bytes.Equal(got, sent) {
		t.Errorf("read %d bytes of %d, %v", len(got), len(sent), err)
	}
}

// TestOthers: what is no socket stays what it is.
func TestOthers(t *testing.T) {
	t.Parallel()
	a, b := net.Pipe()
	defer a.Close()
	defer b.Close()
	if socket.Conn(a) != a {
		t.Error("a pipe was replaced")
	}
}
