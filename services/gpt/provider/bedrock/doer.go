package bedrock

import (
	"context"
	"io"
	"strings"
	"time"

	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/pkg/sigv4"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	codec "github.com/gptmesh/gptmesh/wire/bedrock"
)

// binaryType is the media type of streamed answers.
const binaryType = "application/vnd.amazon.eventstream"

// doer signs requests and makes lines of answers that come as binary messages.
type doer struct {
	next        upstream.Doer
	scope       sigv4.Scope
	credentials sigv4.Credentials
	clock       func() time.Time
	limits      eventstream.Limits
}

// Close implements upstream.Doer; the client is not the adapter's own.
func (d *doer) Close() error { return nil }

// Do implements upstream.Doer.
func (d *doer) Do(ctx context.Context, req *upstream.Request) (*upstream.Response, error) {
	signed := *req
	signed.Header = d.header(req)
	resp, err := d.next.Do(ctx, &signed)
	if err != nil || !strings.HasPrefix(resp.Header.Get("Content-Type"), binaryType) {
		return resp, err
	}
	lines := *resp
	lines.Body = &lineBody{source: resp.Body, frames: eventstream.NewFrameReader(resp.Body, d.limits)}
	return &lines, nil
}

// header is the request's own with what Amazon wants in it.
func (d *doer) header(req *upstream.Request) upstream.Header {
	header := make(upstream.Header, 0, len(req.Header)+3)
	path, query, _ := strings.Cut(req.Target.URI(), "?")
	toSign := sigv4.Request{Method: req.Method, Host: req.Target.Host(), Path: path, Query: query, Body: req.Body}
	for _, f := range req.Header {
		if strings.EqualFold(f.Name, "Accept") && f.Value == "application/x-ndjson" {
			f.Value = binaryType
		}
		if strings.EqualFold(f.Name, "Content-Type") {
			toSign.Header = append(toSign.Header, sigv4.Field{Name: f.Name, Value: f.Value})
		}
		header = append(header, f)
	}
	if d.credentials.AccessKeyID == "" {
		return header
	}
	for _, f := range sigv4.Sign(toSign, d.scope, d.credentials, d.clock()) {
		header = append(header, upstream.Field{Name: f.Name, Value: f.Value})
	}
	return header
}

// lineBody reads binary messages as lines. One read gives what one read of the
// source completed.
type lineBody struct {
	source io.Closer
	frames *eventstream.FrameReader
	buffer []byte
	left   []byte
}

// Read implements io.Reader.
func (b *lineBody) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(b.left) == 0 {
		frames, err := b.frames.Next()
		if err != nil {
			return 0, err
		}
		b.buffer = b.buffer[:0]
		for i := range frames {
			b.buffer = codec.AppendLine(b.buffer, &frames[i])
		}
		b.left = b.buffer
	}
	n := copy(p, b.left)
	b.left = b.left[n:]
	return n, nil
}

// Close implements io.Closer.
func (b *lineBody) Close() error { return b.source.Close() }
