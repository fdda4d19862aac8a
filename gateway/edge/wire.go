package edge

import (
	"context"
	"net"
	"net/http"
	"strconv"
	"sync"
)

// connKey is where a request's context has its connection.
type connKey struct{}

func withConn(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connKey{}, c)
}

// maxPiece is the longest piece that is copied behind its size.
const maxPiece = 16 << 10

// framed are buffers for a piece with what frames it.
var framed = sync.Pool{New: func() any { b := make([]byte, 0, 4<<10); return &b }}

// chunkedConn is the connection of an answer of HTTP/1.1 whose body is chunked
// and whose head has been flushed; nil where it is anything else. As long as
// nothing is left in the server's buffers, pieces may be written past them: the
// server writes what ends the body, and whatever comes after.
func (x *Exchange) chunkedConn() net.Conn {
	if x.r.ProtoMajor != 1 || x.r.ProtoMinor != 1 || x.r.Method == http.MethodHead {
		return nil
	}
	h := x.Header()
	if h["Content-Length"] != nil || h["Transfer-Encoding"] != nil || h["Trailer"] != nil {
		return nil
	}
	c, _ := x.r.Context().Value(connKey{}).(net.Conn)
	return c
}

// writeChunk writes p as one chunk, in one write. A connection that took only a
// part of it is of no use to anybody.
func (x *Exchange) writeChunk(c net.Conn, p []byte) error {
	x.allowWrite()
	buffer := framed.Get().(*[]byte)
	b := strconv.AppendUint((*buffer)[:0], uint64(len(p)), 16)
	b = append(b, "\r\n"...)
	b = append(b, p...)
	b = append(b, "\r\n"...)
	_, err := c.Write(b)
	*buffer = b
	framed.Put(buffer)
	if err != nil {
		_ = c.Close()
		return err
	}
	x.bytes += int64(len(p))
	return nil
}
