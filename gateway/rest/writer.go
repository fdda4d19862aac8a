package rest

import (
	"bytes"
	"context"
	"net/http"

	"github.com/gptmesh/gptmesh/gateway/edge"
	"google.golang.org/grpc/status"
)

// writerKey finds the writer of a request in its context.
type writerKey struct{}

// writer is the answer of one request on its way from the translation to the
// client.
type writer struct {
	*edge.Exchange
	events bool // the client takes server-sent events
	failed bool // it was answered with an error: nothing may follow
	begun  bool
}

var errorMark = []byte(`{"error":`)

// WriteHeader implements http.ResponseWriter.
func (w *writer) WriteHeader(status int) {
	if !w.failed {
		w.Exchange.WriteHeader(status)
	}
}

// Write implements http.ResponseWriter.
func (w *writer) Write(p []byte) (int, error) {
	if w.failed {
		return len(p), nil
	}
	if !w.begun {
		w.begun = true
		h := w.Header()
		if kind := h.Get("Content-Type"); kind == ndjson || kind == eventStream {
			h.Set("Cache-Control", "no-cache")
			h.Set("X-Accel-Buffering", "no")
		}
	} else if w.events && bytes.HasPrefix(p, errorMark) {
		if _, err := w.Exchange.Write([]byte("event: error\ndata: ")); err != nil {
			return 0, err
		}
	}
	return w.Exchange.Write(p)
}

// fail answers with an error, unless the answer has begun.
func (w *writer) fail(err error) {
	w.SetFailure(err)
	if !w.Started() {
		w.Fail(err)
		w.failed = true
	}
}

// failed answers a call that gave an error.
func failed(ctx context.Context, _ *mux, _ marshalerSeam, _ http.ResponseWriter, _ *http.Request, err error) {
	if w, ok := ctx.Value(writerKey{}).(*writer); ok {
		w.fail(w.Cause(faultOf(err)))
	}
}

// streamFailed answers a stream that gave an error before its first message; in
// mid-stream it says what the last message is made of.
func streamFailed(ctx context.Context, err error) *status.Status {
	f := faultOf(err)
	if w, ok := ctx.Value(writerKey{}).(*writer); ok {
		f = faultOf(w.Cause(f))
		w.fail(f)
	}
	return f.GRPCStatus()
}
