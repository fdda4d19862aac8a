package edge

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/http1"
	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
	"google.golang.org/grpc/codes"
)

// firstRead is the most memory that a client's word about its body's length
// brings about before the bytes are there.
const firstRead = 1 << 20

// zstdWindow is the largest window that a zstd body may ask for.
const zstdWindow = 8 << 20

// decoders keeps decompressors for reuse.
type decoders struct {
	gzip, zstd sync.Pool
}

// Body reads the whole body, decompressed, within the edge's bounds of size and
// time. The bytes are the caller's to keep. An error is for Fail.
func (x *Exchange) Body() ([]byte, error) {
	limit := x.edge.config.BodyLimit
	if x.r.ContentLength > limit {
		return nil, tooLarge(limit)
	}
	encoding := first(x.r.Header, "Content-Encoding")
	plain := encoding == "" || strings.EqualFold(encoding, "identity")
	if whole, ok := x.r.Body.(*http1.Body); ok && plain {
		return whole.Take(), nil
	}
	// The deadline must not outlive the body: a read of the connection goes on
	// beside the answer, to notice that the client left.
	if err := x.conn.SetReadDeadline(time.Now().Add(x.edge.config.BodyTimeout)); err == nil {
		defer x.conn.SetReadDeadline(noDeadline)
	}
	if plain {
		body, err := readAll(x.r.Body, max(x.r.ContentLength, 511)+1, limit)
		if err != nil {
			return nil, x.bodyError(err, "")
		}
		return body, nil
	}
	body, err := x.edge.decoders.read(strings.ToLower(strings.TrimSpace(encoding)), x.r.Body, limit)
	if err != nil {
		return nil, x.bodyError(err, encoding)
	}
	// What stands behind the compressed data is read to its end too: only then
	// does the server notice that the client left.
	if _, err := readAll(x.r.Body, 512, limit); err != nil {
		return nil, x.bodyError(err, "")
	}
	return body, nil
}

// Borrow is Body for a caller that may not keep the bytes: they may lie where the
// next request will come. They are the caller's until the handler returns, or Keep is
// called.
func (x *Exchange) Borrow() ([]byte, error) {
	encoding := first(x.r.Header, "Content-Encoding")
	if whole, ok := x.r.Body.(*http1.Body); ok && x.r.ContentLength <= x.edge.config.BodyLimit && (encoding == "" || strings.EqualFold(encoding, "identity")) {
		return whole.Lend(), nil
	}
	return x.Body()
}

// Keep returns what was borrowed as the caller's to keep, which may be a copy:
// nobody may use the borrowed bytes any more.
func (x *Exchange) Keep(borrowed []byte) []byte {
	if whole, ok := x.r.Body.(*http1.Body); ok {
		if own := whole.Take(); own != nil {
			return own
		}
	}
	return borrowed
}

// BodyStream reads a body of any length as it comes. What is bounded is each wait
// for more of it. A compressed body is read like Body does. Errors of reading
// are for Fail.
func (x *Exchange) BodyStream() (io.Reader, error) {
	if encoding := first(x.r.Header, "Content-Encoding"); encoding != "" && !strings.EqualFold(encoding, "identity") {
		body, err := x.Body()
		return bytes.NewReader(body), err
	}
	return &bodyStream{x}, nil
}

// bodyStream renews the deadline with every read.
type bodyStream struct{ x *Exchange }

func (b *bodyStream) Read(p []byte) (int, error) {
	x := b.x
	bounded := x.conn.SetReadDeadline(time.Now().Add(x.edge.config.BodyTimeout)) == nil
	n, err := x.r.Body.Read(p)
	if bounded {
		_ = x.conn.SetReadDeadline(noDeadline)
	}
	if err != nil && err != io.EOF {
		err = x.bodyError(err, "")
	}
	return n, err
}

// errTooLarge is a body over the limit.
var errTooLarge = errors.New("body too large")

// errEncoding is a Content-Encoding that is not known.
var errEncoding = errors.New("unknown encoding")

// readAll reads to the end, at most limit bytes. size is what is said to come.
func readAll(r io.Reader, size, limit int64) ([]byte, error) {
	buf := make([]byte, 0, min(size, firstRead))
	for {
		switch {
		case len(buf) < cap(buf):
		case int64(len(buf)) < size:
			// So much came that the rest is believed.
			buf = slices.Grow(buf, int(size)-len(buf))
		default:
			buf = append(buf, 0)[:len(buf)]
		}
		n, err := r.Read(buf[len(buf):cap(buf)])
		buf = buf[:len(buf)+n]
		if int64(len(buf)) > limit {
			return nil, errTooLarge
		}
		if err == io.EOF {
			return buf, nil
		}
		if err != nil {
			return nil, err
		}
	}
}

func (d *decoders) read(encoding string, body io.Reader, limit int64) ([]byte, error) {
	compressed := &io.LimitedReader{R: body, N: limit + 1}
	var out []byte
	var err error
	switch encoding {
	case "gzip", "x-gzip":
		out, err = d.gunzip(compressed, limit)
	case "zstd":
		out, err = d.unzstd(compressed, limit)
	default:
		return nil, errEncoding
	}
	if compressed.N <= 0 {
		return nil, errTooLarge
	}
	return out, err
}

func (d *decoders) gunzip(r io.Reader, limit int64) ([]byte, error) {
	z, _ := d.gzip.Get().(*gzip.Reader)
	if z == nil {
		z = new(gzip.Reader)
	}
	defer d.gzip.Put(z)
	if err := z.Reset(r); err != nil {
		return nil, err
	}
	return readAll(z, 16<<10, limit)
}

func (d *decoders) unzstd(r io.Reader, limit int64) ([]byte, error) {
	z, _ := d.zstd.Get().(*zstd.Decoder)
	if z == nil {
		var err error
		z, err = zstd.NewReader(nil, zstd.WithDecoderConcurrency(1), zstd.WithDecoderLowmem(true),
			zstd.WithDecoderMaxWindow(zstdWindow), zstd.WithDecoderMaxMemory(uint64(limit)+1))
		if err != nil {
			return nil, err
		}
	}
	// A decoder that keeps no reader holds nothing that must be closed.
	defer func() {
		if z.Reset(nil) == nil {
			d.zstd.Put(z)
		}
	}()
	if err := z.Reset(r); err != nil {
		return nil, err
	}
	return readAll(z, 16<<10, limit)
}

// bodyError makes the fault of an error of reading a body.
func (x *Exchange) bodyError(err error, encoding string) error {
	var timeout net.Error
	switch {
	case errors.Is(err, errTooLarge), errors.Is(err, zstd.ErrDecoderSizeExceeded), errors.Is(err, zstd.ErrWindowSizeExceeded):
		return tooLarge(x.edge.config.BodyLimit)
	case errors.Is(err, errEncoding):
		x.Header()["Accept-Encoding"] = []string{"gzip, zstd"}
		return WithStatus(http.StatusUnsupportedMediaType, fault.InvalidField("Content-Encoding", "gzip and zstd are taken"))
	case errors.As(err, &timeout) && timeout.Timeout():
		x.Header()["Connection"] = closeValue
		return WithStatus(http.StatusRequestTimeout, fault.New(codes.DeadlineExceeded, meshv1.ErrorReason_ERROR_REASON_DEADLINE_EXCEEDED,
			fmt.Sprintf("the body did not arrive within %v", x.edge.config.BodyTimeout), "room", "gateway"))
	case encoding != "":
		return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_MALFORMED_BODY,
			"the body is not valid "+encoding+" data", "field", "").WithCause(err)
	}
	return fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_MALFORMED_BODY,
		"the body ended before its announced length", "field", "").WithCause(err)
}

func tooLarge(limit int64) error {
	return WithStatus(http.StatusRequestEntityTooLarge, fault.New(codes.InvalidArgument, meshv1.ErrorReason_ERROR_REASON_TOO_LARGE,
		fmt.Sprintf("the body is larger than %d bytes", limit), "limit_bytes", strconv.FormatInt(limit, 10)))
}
