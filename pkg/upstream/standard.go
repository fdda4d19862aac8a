package upstream

import (
	"context"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptrace"
	"net/url"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpproxy"
)

// Standard is net/http's transport as a Doer, for proxies, HTTP/2 and compression. It promises what Client does, but for
// these: header fields are sent and returned in no order, a request is sent again when and only when net/http sees fit,
// a body closed before its end was read costs the connection, and Error.Sent is true as soon as there was a connection,
// but where an HTTP/2 server says that it did not begin (GOAWAY below the request's stream, REFUSED_STREAM). Such a POST
// is sent again at once, and once.
type Standard struct {
	cfg       Config
	transport *http.Transport
	closed    atomic.Bool
}

var _ Doer = (*Standard)(nil)

// NewStandard returns a client over net/http whatever Config.Transport says.
func NewStandard(cfg Config) (*Standard, error) {
	cfg.Transport = TransportStandard
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	proxy := httpproxy.FromEnvironment().ProxyFunc()
	if cfg.Proxy != "" {
		fixed, err := url.Parse(cfg.Proxy)
		if err != nil {
			return nil, err
		}
		proxy = func(*url.URL) (*url.URL, error) { return fixed, nil }
	}
	s := &Standard{cfg: cfg}
	var protocols http.Protocols
	protocols.SetHTTP1(true)
	protocols.SetHTTP2(cfg.HTTP2)
	s.transport = &http.Transport{
		Proxy: func(r *http.Request) (*url.URL, error) {
			if strings.HasSuffix(r.URL.Hostname(), socketSuffix) {
				return nil, nil
			}
			return proxy(r.URL)
		},
		DialContext: s.dial, TLSClientConfig: cfg.TLS, TLSHandshakeTimeout: cfg.TLSTimeout,
		DisableCompression: !cfg.Compression, MaxIdleConnsPerHost: cfg.MaxIdlePerHost, IdleConnTimeout: cfg.IdleConnTimeout,
		MaxResponseHeaderBytes: int64(cfg.MaxHeaderBytes), Protocols: &protocols, ForceAttemptHTTP2: cfg.HTTP2,
		DisableKeepAlives: cfg.MaxIdlePerHost < 0,
	}
	return s, nil
}

// socketSuffix marks a host name that stands for the path of a socket, which net/http knows nothing of.
const socketSuffix = ".unix-socket.invalid"

func (s *Standard) dial(ctx context.Context, network, address string) (net.Conn, error) {
	if host, _, err := net.SplitHostPort(address); err == nil && strings.HasSuffix(host, socketSuffix) {
		path, err := hex.DecodeString(strings.TrimSuffix(host, socketSuffix))
		if err != nil {
			return nil, err
		}
		network, address = "unix", string(path)
	}
	return s.cfg.dial(ctx, network, address)
}

// Close implements Doer.
func (s *Standard) Close() error {
	s.closed.Store(true)
	s.transport.CloseIdleConnections()
	return nil
}

// Do implements Doer.
func (s *Standard) Do(ctx context.Context, req *Request) (*Response, error) {
	host := req.Target.host
	if err := req.check(); err != nil {
		return nil, &Error{Op: "request", Host: host, Err: err}
	}
	if s.closed.Load() {
		return nil, &Error{Op: "request", Host: host, Err: ErrClosed}
	}
	if ctx.Err() != nil {
		return nil, &Error{Op: "request", Host: host, Err: context.Cause(ctx)}
	}
	if req.Ready != nil {
		if err := req.Ready(); err != nil {
			return nil, &Error{Op: "request", Host: host, Err: &notReady{err}}
		}
	}
	inner, cancel := context.WithCancelCause(ctx)
	b := &standardBody{owner: s, ctx: inner, cancel: cancel, host: host, idle: choose(req.IdleTimeout, s.cfg.IdleTimeout),
		clock: alarm{cancel: cancel, cause: ErrIdleTimeout}}
	limit := choose(req.HeaderTimeout, s.cfg.HeaderTimeout)
	var connected atomic.Bool
	var begun atomic.Int32 // how often its head was written
	clock := alarm{cancel: cancel, cause: ErrHeaderTimeout}
	inner = httptrace.WithClientTrace(inner, &httptrace.ClientTrace{
		GotConn: func(httptrace.GotConnInfo) {
			connected.Store(true)
			if req.Stream == nil {
				clock.set(limit)
			}
		},
		WroteHeaders: func() { begun.Add(1) },
		WroteRequest: func(httptrace.WroteRequestInfo) { clock.set(limit) },
	})
	hr, err := s.request(inner, req, &begun, &b.lent)
	if err != nil {
		cancel(nil)
		return nil, &Error{Op: "request", Host: host, Err: err}
	}
	resp, err := s.transport.RoundTrip(hr)
	clock.end()
	if err != nil {
		cause := b.explain(err)
		cancel(nil)
		b.lent.takeBack()
		op := "head"
		if !connected.Load() {
			op = "dial"
		}
		return nil, &Error{Op: op, Host: host, Sent: connected.Load() && !(ctx.Err() == nil && notBegun(req, err)), Err: cause}
	}
	b.body = resp.Body
	out := &Response{Status: resp.StatusCode, Body: b}
	for name, values := range resp.Header {
		for _, v := range values {
			out.Header = append(out.Header, Field{name, v})
		}
	}
	return out, nil
}

// errNotAgain is the error of a request that could be sent again, and is not.
var errNotAgain = errors.New("the server did not take the request")

// notBegun reports whether an error of net/http says that the server cannot have begun to work on the request. The types
// of HTTP/2's errors are not exported.
func notBegun(req *Request, err error) bool {
	if errors.Is(err, errNotAgain) {
		// For these net/http would also send again what may have been begun.
		return req.Method == http.MethodPost && !req.has("Idempotency-Key") && !req.has("X-Idempotency-Key")
	}
	text := err.Error()
	return strings.HasPrefix(text, "http2: Transport received GOAWAY from server ErrCode:") || // below the request's stream
		strings.HasPrefix(text, "http2: Transport received Server's graceful shutdown GOAWAY") ||
		strings.HasPrefix(text, "stream error: ") && strings.Contains(text, "; REFUSED_STREAM")
}

// addTo adds a header's fields to those of net/http.
func addTo(to http.Header, header Header) {
	for _, f := range header {
		to.Add(f.Name, f.Value)
	}
}

// request makes the request of net/http. begun is how often its head was written.
func (s *Standard) request(ctx context.Context, req *Request, begun *atomic.Int32, body *lending) (*http.Request, error) {
	u, err := url.ParseRequestURI(req.Target.uri)
	if err != nil {
		return nil, ErrRequest
	}
	u.Scheme, u.Host = "http", req.Target.host
	if req.Target.secure {
		u.Scheme = "https"
	}
	if req.Target.network == "unix" {
		u.Host = hex.EncodeToString([]byte(req.Target.address)) + socketSuffix
	}
	hr := (&http.Request{Method: req.Method, URL: u, Host: req.Target.host, Header: http.Header{}}).WithContext(ctx)
	if req.Fixed != nil {
		addTo(hr.Header, req.Fixed.header)
	}
	addTo(hr.Header, req.Header)
	if !req.has("User-Agent") {
		hr.Header["User-Agent"] = nil // Sends none.
	}
	if !s.cfg.Compression && !req.has("Accept-Encoding") {
		hr.Header.Set("Accept-Encoding", "identity")
	}
	if req.Stream != nil {
		hr.Body, hr.ContentLength = io.NopCloser(req.Stream), -1
		return hr, nil
	}
	if len(req.Body) == 0 {
		hr.Body = http.NoBody
		return hr, nil
	}
	hr.ContentLength = int64(len(req.Body))
	body.all = req.Body
	hr.Body = body.reader()
	// Asked for where net/http wants to send it again: HTTP/2 would do so for a minute, while others could take the call.
	hr.GetBody = func() (io.ReadCloser, error) {
		if req.NoRetry || begun.Load() > 1 {
			return nil, errNotAgain
		}
		return body.reader(), nil
	}
	return hr, nil
}

// lending is a request's body. net/http may read it when a request is over: then there
// is nothing, since it is the caller's again.
type lending struct {
	mu   sync.Mutex
	all  []byte
	over bool
}

func (l *lending) reader() io.ReadCloser { return &lentBody{lending: l} }

func (l *lending) takeBack() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.all, l.over = nil, true
}

// lentBody reads a body once.
type lentBody struct {
	*lending
	read int
}

// Read implements io.Reader.
func (b *lentBody) Read(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	switch {
	case b.over:
		return 0, ErrBodyClosed
	case b.read == len(b.all):
		return 0, io.EOF
	}
	n := copy(p, b.all[b.read:])
	b.read += n
	return n, nil
}

// Close implements io.Closer.
func (b *lentBody) Close() error { return nil }

// alarm cancels a request after a time.
type alarm struct {
	cancel context.CancelCauseFunc
	cause  error

	mu    sync.Mutex
	timer *time.Timer
	over  bool
}

func (a *alarm) set(d time.Duration) {
	if d <= 0 {
		return
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	switch {
	case a.over:
	case a.timer == nil:
		a.timer = time.AfterFunc(d, func() { a.cancel(a.cause) })
	default:
		a.timer.Reset(d)
	}
}

func (a *alarm) pause() {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.timer != nil {
		a.timer.Stop()
	}
}

func (a *alarm) end() {
	a.pause()
	a.mu.Lock()
	a.over = true
	a.mu.Unlock()
}

// standardBody maps the errors of a body and watches over its silence.
type standardBody struct {
	owner  *Standard
	body   io.ReadCloser
	ctx    context.Context
	cancel context.CancelCauseFunc
	host   string
	idle   time.Duration
	clock  alarm
	ended  error // what every further Read returns
	closed atomic.Bool
	lent   lending // the request's
}

// explain chooses what to tell about an error of net/http.
func (b *standardBody) explain(err error) error {
	if b.ctx.Err() != nil {
		return context.Cause(b.ctx)
	}
	if err == io.EOF {
		return io.ErrUnexpectedEOF
	}
	// The types of these two errors are not exported.
	switch text := err.Error(); {
	case strings.Contains(text, "TLS handshake timeout"):
		return fmt.Errorf("%w: %w", ErrTLSTimeout, err)
	case strings.Contains(text, "server response headers exceeded"):
		return fmt.Errorf("%w: %w", ErrHeaderTooLarge, err)
	case strings.Contains(text, "malformed"):
		return fmt.Errorf("%w: %w", ErrProtocol, err)
	}
	return err
}

// Read implements io.Reader.
func (b *standardBody) Read(p []byte) (int, error) {
	if b.ended != nil {
		return 0, b.ended
	}
	b.clock.set(b.idle)
	n, err := b.body.Read(p)
	b.clock.pause()
	switch {
	case b.closed.Load():
		n, b.ended = 0, &Error{Op: "body", Host: b.host, Sent: true, Err: ErrBodyClosed}
	case err == io.EOF:
		b.ended = err
	case err != nil:
		b.ended = &Error{Op: "body", Host: b.host, Sent: true, Err: b.explain(err)}
	default:
		return n, nil
	}
	b.finish()
	return n, b.ended
}

// Close implements io.Closer. Cancelling ends a Read that waits.
func (b *standardBody) Close() error {
	if !b.closed.Swap(true) {
		b.cancel(ErrBodyClosed)
		_ = b.body.Close()
		b.finish()
	}
	return nil
}

func (b *standardBody) finish() {
	b.lent.takeBack()
	b.clock.end()
	b.cancel(nil)
	if b.owner.closed.Load() {
		b.owner.transport.CloseIdleConnections()
	}
}
