package upstream

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/textproto"
	"net/url"
	"strconv"
	"strings"
	"time"
)

// Doer sends requests. It is safe for concurrent use.
type Doer interface {
	// Do sends the request and returns once the head of the answer has come, whatever its status. The caller closes the
	// body. Do does not keep or change the request, but reads its Body until Do has failed or the answer's body has
	// been read to its end or closed. The error is an [*Error].
	Do(ctx context.Context, req *Request) (*Response, error)
	// Close closes unused connections and lets later requests fail with ErrClosed. Requests under way may end; their
	// connections are closed then. It returns nil.
	Close() error
}

// New returns the client that the configuration asks for; see Config.Transport.
func New(cfg Config) (Doer, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if cfg.standard() {
		return NewStandard(cfg)
	}
	return NewClient(cfg)
}

// Request is one request. It may be sent several times, also at once.
type Request struct {
	// Method is "POST", "GET" and so on.
	Method string
	// Target is where to, from ParseTarget.
	Target Target
	// Fixed, if set, is sent before Header.
	Fixed *Fixed
	// Header is sent in its order, with names in canonical form. Host, Content-Length and the fields that govern the
	// connection are the client's and are refused here, and so are line breaks in values.
	Header Header
	// Body is sent with its length. Nil and empty are the same.
	Body []byte
	// Stream is sent in Body's place, where it is set, in chunks as it is read and up to io.EOF; another error breaks the
	// request off. It may still be read a moment after Do has returned: it must be one that can be told to end, as a pipe.
	// Such a request is sent once. HeaderTimeout then counts from the end of Stream.
	Stream io.Reader
	// HeaderTimeout and IdleTimeout replace those of the Config when not zero; negative means no bound.
	HeaderTimeout, IdleTimeout time.Duration
	// Ready, if set, is called when there is a connection and before the first byte of the request is written to it. It may
	// wait. An error ends the request, which was then not sent: Do's error wraps it and [ErrNotReady].
	Ready func() error
	// NoRetry forbids to send the request again on a new connection when a kept one turned out to be closed.
	NoRetry bool
}

// Response is the head of an answer and a reader of its body.
type Response struct {
	// Status is the status code, 200 to 999.
	Status int
	// Header holds the fields in the order they came, with names in canonical form.
	Header Header
	// Body reads the body, free of transfer coding. One Read returns all bytes that one read of the connection brought,
	// as far as they fit, and waits for more only when it has none. A body that was cut ends with an error that wraps
	// io.ErrUnexpectedEOF, never with io.EOF, unless the server marks its end by nothing but closing the connection.
	// The connection is used again if the body was read to its end, or if the end had already come when the body was
	// closed; else Close closes it. Close may be called at any time, also while Read waits, and always returns nil.
	Body io.ReadCloser
}

// Field is one line of a header.
type Field struct{ Name, Value string }

// Header is a list of fields in the order of the wire. Names are compared without case.
type Header []Field

// Get returns the first value of the name, or "".
func (h Header) Get(name string) string {
	for i := range h {
		if strings.EqualFold(h[i].Name, name) {
			return h[i].Value
		}
	}
	return ""
}

// Has reports whether there is a field of the name.
func (h Header) Has(name string) bool {
	for i := range h {
		if strings.EqualFold(h[i].Name, name) {
			return true
		}
	}
	return false
}

// Values returns all values of the name, in order.
func (h Header) Values(name string) []string {
	var all []string
	for i := range h {
		if strings.EqualFold(h[i].Name, name) {
			all = append(all, h[i].Value)
		}
	}
	return all
}

// Target is a parsed URL. The zero value is not valid. Targets can be compared and shared.
type Target struct {
	secure  bool
	network string // "tcp" or "unix"
	address string // host:port, or the path of the socket
	host    string // for the Host field, and for errors
	name    string // for TLS
	uri     string // path and query, as sent
	key     string // of the pool
}

// ParseTarget parses an absolute URL: http, https, or http+unix with the percent-encoded path of the socket as its host,
// as in "http+unix://%2Frun%2Fllm.sock/v1". User information is refused; a fragment is dropped.
func ParseTarget(raw string) (Target, error) {
	// Package url takes no slash in a host, escaped or not: the socket is looked for in the path.
	if rest, ok := strings.CutPrefix(raw, "http+unix://"); ok {
		raw = "http+unix:///" + rest
	}
	u, err := url.Parse(raw)
	if err != nil || strings.ContainsAny(raw, " \t\r\n") {
		return Target{}, fmt.Errorf("upstream: %w: the URL cannot be parsed", ErrRequest)
	}
	if u.User != nil {
		return Target{}, fmt.Errorf("upstream: %w: the URL holds user information", ErrRequest)
	}
	t := Target{network: "tcp", host: u.Host, name: u.Hostname(), uri: u.RequestURI()}
	port := u.Port()
	switch u.Scheme {
	case "http":
		if port == "" {
			port = "80"
		}
	case "https":
		if t.secure = true; port == "" {
			port = "443"
		}
	case "http+unix":
		return unixTarget(u)
	default:
		return Target{}, fmt.Errorf("upstream: %w: the URL's scheme is not http, https or http+unix", ErrRequest)
	}
	if t.name == "" {
		return Target{}, fmt.Errorf("upstream: %w: the URL has no host", ErrRequest)
	}
	t.address = net.JoinHostPort(t.name, port)
	t.key = u.Scheme + "://" + t.address
	return t, nil
}

func unixTarget(u *url.URL) (Target, error) {
	socket, rest, _ := strings.Cut(strings.TrimPrefix(u.EscapedPath(), "/"), "/")
	path, err := url.PathUnescape(socket)
	if err != nil || !strings.HasPrefix(path, "/") || u.Host != "" {
		return Target{}, fmt.Errorf("upstream: %w: the URL names no socket", ErrRequest)
	}
	uri := "/" + rest
	if u.RawQuery != "" {
		uri += "?" + u.RawQuery
	}
	return Target{network: "unix", address: path, host: "localhost", uri: uri, key: "http+unix://" + path}, nil
}

// At returns the target on the same server with another path and query, such as "/v1/models?limit=5", already escaped.
func (t Target) At(uri string) (Target, error) {
	if !strings.HasPrefix(uri, "/") || !printable(uri) {
		return Target{}, fmt.Errorf("upstream: %w: the path must begin with a slash and be escaped", ErrRequest)
	}
	t.uri = uri
	return t, nil
}

// Host returns the host, with the port where the URL had one.
func (t Target) Host() string { return t.host }

// URI returns path and query as sent.
func (t Target) URI() string { return t.uri }

// printable reports whether s is visible ASCII only.
func printable(s string) bool {
	for i := range len(s) {
		if s[i] <= ' ' || s[i] >= 0x7f {
			return false
		}
	}
	return true
}

// check refuses what would not be the request it looks like. It names the field but never its value.
func (r *Request) check() error {
	if r.Target.address == "" {
		return fmt.Errorf("%w: no target", ErrRequest)
	}
	if !token(r.Method) || r.Method == "CONNECT" {
		return fmt.Errorf("%w: the method is not usable", ErrRequest)
	}
	if r.Fixed != nil && r.Fixed.err != nil {
		return r.Fixed.err
	}
	return r.Header.check()
}

// has reports whether the request has a field of the name.
func (r *Request) has(name string) bool { return r.Fixed.has(name) || r.Header.Has(name) }

// check is Request.check for the header alone.
func (h Header) check() error {
	for i := range h {
		f := &h[i]
		if !token(f.Name) {
			return fmt.Errorf("%w: the header name %q is malformed", ErrRequest, f.Name)
		}
		if !fieldValue(f.Value) {
			return fmt.Errorf("%w: the header %s holds a control character", ErrRequest, f.Name)
		}
		if owned(f.Name) {
			return fmt.Errorf("%w: the header %s is set by the client", ErrRequest, f.Name)
		}
	}
	return nil
}

// owned reports whether a field governs framing or the connection. Expect is among them: the body is never held back.
func owned(name string) bool {
	switch len(name) {
	case 2, 4, 6, 7, 10, 14, 16, 17:
	default:
		return false
	}
	switch textproto.CanonicalMIMEHeaderKey(name) {
	case "Te", "Host", "Expect", "Trailer", "Upgrade", "Connection", "Keep-Alive", "Content-Length", "Proxy-Connection", "Transfer-Encoding":
		return true
	}
	return false
}

func token(s string) bool {
	if s == "" {
		return false
	}
	for i := range len(s) {
		if !tokenByte[s[i]] {
			return false
		}
	}
	return true
}

// tokenByte holds the bytes of a token by RFC 9110.
var tokenByte = func() (t [256]bool) {
	for _, c := range []byte("!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ") {
		t[c] = true
	}
	return t
}()

func fieldValue(s string) bool {
	for i := range len(s) {
		if c := s[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return true
}

// appendHead appends the request line and the header.
func (r *Request) appendHead(dst []byte) []byte {
	dst = append(append(dst, r.Method...), ' ')
	dst = append(append(dst, r.Target.uri...), " HTTP/1.1\r\nHost: "...)
	dst = append(append(dst, r.Target.host...), "\r\n"...)
	if r.Fixed != nil {
		dst = append(dst, r.Fixed.lines...)
	}
	dst = r.Header.appendLines(dst)
	if (r.Fixed == nil || !r.Fixed.encoding) && !r.Header.Has("Accept-Encoding") {
		dst = append(dst, "Accept-Encoding: identity\r\n"...)
	}
	if len(r.Body) > 0 || r.Method == "POST" || r.Method == "PUT" || r.Method == "PATCH" {
		dst = append(dst, "Content-Length: "...)
		dst = strconv.AppendInt(dst, int64(len(r.Body)), 10)
		dst = append(dst, "\r\n"...)
	}
	return append(dst, "\r\n"...)
}
