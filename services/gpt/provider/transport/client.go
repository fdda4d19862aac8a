// Package transport is what the HTTP adapters share: one exchange with a
// provider over pkg/upstream, errors that clients may see, and answers made
// into chunks by a wire codec.
package transport

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/gptmesh/gptmesh/pkg/slab"
	"github.com/gptmesh/gptmesh/pkg/stacks"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"go.opentelemetry.io/otel/propagation"
)

// Bounds of what is read from a provider.
const (
	// MaxErrorBody is how much of an error's body is looked at.
	MaxErrorBody = 64 << 10
	// DefaultMaxBody bounds a whole answer.
	DefaultMaxBody = 64 << 20
	// errorBodyWait is how long an error's body may take to come.
	errorBodyWait = 5 * time.Second
)

// Config sets up a Client.
type Config struct {
	// Name is how the configuration calls the provider.
	Name string
	// BaseURL is where it is, http or https, with or without a slash at its
	// end.
	BaseURL string
	// Header is sent with every request: credentials and whatever else the
	// provider wants.
	Header upstream.Header
	// Secrets are texts that must never be seen by a client: the key.
	Secrets []string
	// UserAgent is sent as such.
	UserAgent string
	// Doer makes the requests.
	Doer upstream.Doer
	// Stacks lend the stack on which streams are begun. Nil for the caller's own.
	Stacks *stacks.Pool
	// MaxBody bounds a whole answer in bytes. 0 means DefaultMaxBody.
	MaxBody int64
	// MaxEvent bounds one event of a stream in bytes. 0 means the default of
	// eventstream.
	MaxEvent int
	// Query is added to every address, as "api-version=1". Optional.
	Query string
}

// Client makes requests of one provider. It is safe for concurrent use.
type Client struct {
	cfg     Config
	base    string
	fixed   *upstream.Fixed
	lean    bool // Doer is the lean client
	targets targets
}

var errQuery = errors.New("the address of a provider has no query and no fragment; what every call is to have in its query is gpt.providers.NAME.query")

// New checks the address and returns a client.
func New(cfg Config) (*Client, error) {
	base := strings.TrimRight(cfg.BaseURL, "/")
	if strings.ContainsAny(base, "?#") {
		return nil, errQuery // not named: it may hold a key
	}
	if _, err := upstream.ParseTarget(base + "/"); err != nil {
		return nil, err
	}
	if cfg.MaxBody == 0 {
		cfg.MaxBody = DefaultMaxBody
	}
	header := upstream.Header{{Name: "User-Agent", Value: cfg.UserAgent}, {Name: "Accept-Encoding", Value: "identity"}}
	_, lean := cfg.Doer.(*upstream.Client)
	return &Client{cfg: cfg, base: base, lean: lean, fixed: upstream.Fix(append(header, cfg.Header...))}, nil
}

// Name is the provider's name.
func (c *Client) Name() string { return c.cfg.Name }

// BaseURL is where the provider is, without a slash at its end.
func (c *Client) BaseURL() string { return c.base }

// Target is the address of a path such as "/chat/completions".
func (c *Client) Target(path string) (upstream.Target, error) {
	if known, ok := c.targets.get(path); ok {
		return known, nil
	}
	target, err := c.parse(path)
	if err == nil {
		c.targets.keep(path, target)
	}
	return target, err
}

func (c *Client) parse(path string) (upstream.Target, error) {
	address := c.base + path
	switch {
	case c.cfg.Query == "":
	case strings.Contains(path, "?"):
		address += "&" + c.cfg.Query
	default:
		address += "?" + c.cfg.Query
	}
	return upstream.ParseTarget(address)
}

// Request is one exchange.
type Request struct {
	// Method is the HTTP method.
	Method string
	// Target is where to.
	Target upstream.Target
	// Body is what is sent, or nil.
	Body []byte
	// Stream is sent in Body's place, where it is set, as upstream.Request says.
	Stream io.Reader
	// ContentType is that of Body. Empty means JSON.
	ContentType string
	// Accept is the media type wanted.
	Accept string
	// Once forbids a second sending even where the first met a dead connection.
	Once bool
	// Header is sent beside the client's own.
	Header upstream.Header
}

// Do sends one request. The answer has a status below 300; its body must be
// closed. Errors are *provider.Error, or the cause of a ctx that is done.
func (c *Client) Do(ctx context.Context, req Request) (*upstream.Response, error) {
	resp, err := c.send(ctx, &req)
	if err != nil || succeeded(resp) {
		return resp, err
	}
	return nil, c.failed(ctx, resp)
}

func succeeded(resp *upstream.Response) bool { return resp.Status >= 200 && resp.Status < 300 }

// failed is the error of an answer that is no success, which it closes.
func (c *Client) failed(ctx context.Context, resp *upstream.Response) error {
	body, err := c.complaint(ctx, resp)
	if err != nil {
		return err
	}
	return c.refused(resp, body)
}

// complaint reads the beginning of an answer that is no success, and closes it.
func (c *Client) complaint(ctx context.Context, resp *upstream.Response) ([]byte, error) {
	defer resp.Body.Close()
	timer := time.AfterFunc(errorBodyWait, func() { resp.Body.Close() })
	defer timer.Stop()
	// A body that breaks off still tells what it told.
	body, _ := io.ReadAll(io.LimitReader(resp.Body, MaxErrorBody))
	if ctx.Err() != nil {
		return nil, context.Cause(ctx)
	}
	return body, nil
}

// send sends one request, whatever the answer's status is.
func (c *Client) send(ctx context.Context, req *Request) (*upstream.Response, error) {
	return c.pass(ctx, c.outbound(ctx, req))
}

// outbound makes the request that passes on.
func (c *Client) outbound(ctx context.Context, req *Request) *outbound {
	out, _ := outbounds.Get().(*outbound)
	out.Method, out.Target, out.Fixed, out.Body, out.Stream, out.NoRetry = req.Method, req.Target, c.fixed, req.Body, req.Stream, req.Once
	out.Header = append(append(out.room[:0], req.Header...), upstream.Field{Name: "Accept", Value: req.Accept})
	if req.Body != nil || req.Stream != nil {
		out.Header = append(out.Header, upstream.Field{Name: "Content-Type", Value: or(req.ContentType, "application/json")})
	}
	propagation.TraceContext{}.Inject(ctx, out)
	if exchange := provider.ExchangeOf(ctx); exchange != nil {
		out.Ready = exchange.Ready
	}
	return out
}

// pass makes the request, which is of no use from then on.
func (c *Client) pass(ctx context.Context, out *outbound) (*upstream.Response, error) {
	resp, err := c.cfg.Doer.Do(ctx, &out.Request)
	if c.lean && out.Stream == nil {
		out.release() // the lean client knows of it no more, but for the body
	}
	if err != nil {
		return nil, c.broken(ctx, err)
	}
	if exchange := provider.ExchangeOf(ctx); exchange != nil {
		exchange.Answered(resp.Status, resp.Header)
	}
	return resp, nil
}

// JSON sends one request and decodes the answer into out.
func (c *Client) JSON(ctx context.Context, req Request, out any) error {
	body, err := c.Whole(ctx, req)
	if err != nil {
		return err
	}
	if err := json.Unmarshal(body, out); err != nil {
		return provider.Protocol(c.cfg.Name, err)
	}
	return nil
}

// Whole sends one request and reads the whole answer.
func (c *Client) Whole(ctx context.Context, req Request) ([]byte, error) {
	if req.Accept == "" {
		req.Accept = "application/json"
	}
	resp, err := c.Do(ctx, req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	return c.read(ctx, resp)
}

var errBodyTooLarge = errors.New("the answer is larger than the limit")

func (c *Client) read(ctx context.Context, resp *upstream.Response) ([]byte, error) {
	body, err := readAll(resp, c.cfg.MaxBody+1)
	switch {
	case err != nil && ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case err != nil:
		return nil, provider.Truncated(c.cfg.Name, err)
	case int64(len(body)) > c.cfg.MaxBody:
		return nil, provider.Protocol(c.cfg.Name, errBodyTooLarge)
	}
	return body, nil
}

// firstRead is the most memory that a provider's word about its body's length
// brings about before the bytes are there.
const firstRead = 64 << 10

// unannounced is what is read of a body of unknown length before its memory is made.
const unannounced = slab.Least

// readAll reads an answer's body to its end, at most limit bytes of it. The memory of a
// body whose length is announced, or that is shorter than unannounced, is as long as it.
func readAll(resp *upstream.Response, limit int64) ([]byte, error) {
	announced, err := strconv.ParseInt(resp.Header.Get("Content-Length"), 10, 64)
	if err != nil || announced < 0 {
		lent := slab.Lend(unannounced)
		defer lent.Return()
		body, err := readInto(lent.Bytes[:0:unannounced], resp, limit)
		if cap(body) == unannounced { // it did not grow out of what is lent
			body = bytes.Clone(body)
		}
		return body, err
	}
	// One byte more lets the end be seen without growing.
	return readInto(make([]byte, 0, min(announced, firstRead)+1), resp, limit)
}

// readInto reads a body into the room behind body, and into more where that is full.
func readInto(body []byte, resp *upstream.Response, limit int64) ([]byte, error) {
	for int64(len(body)) < limit {
		if len(body) == cap(body) {
			body = append(body, 0)[:len(body)]
		}
		n, err := resp.Body.Read(body[len(body):min(int64(cap(body)), limit)])
		body = body[:len(body)+n]
		if err == io.EOF {
			return body, nil
		}
		if err != nil {
			return body, err
		}
	}
	return body, nil
}

// broken makes the error of an exchange that failed before an answer.
func (c *Client) broken(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	sent := true
	if failure := (*upstream.Error)(nil); errors.As(err, &failure) {
		sent = failure.Sent
	}
	if errors.Is(err, upstream.ErrNotReady) {
		return err // as Exchange.Ready said
	}
	if errors.Is(err, upstream.ErrProtocol) || errors.Is(err, upstream.ErrHeaderTooLarge) {
		return provider.Protocol(c.cfg.Name, err)
	}
	if !sent && exhausted(err) {
		return provider.Exhausted(c.cfg.Name, err)
	}
	return provider.Unreachable(c.cfg.Name, !sent, err)
}

// exhausted says that err is about what this side has no more of.
func exhausted(err error) bool {
	return slices.ContainsFunc([]error{syscall.EMFILE, syscall.ENFILE, syscall.EADDRNOTAVAIL, syscall.ENOBUFS, syscall.ENOMEM},
		func(of error) bool { return errors.Is(err, of) })
}

// outbound is a request with room for the fields of its header that are not the
// same in all, and for those of W3C trace context, whose carrier it is.
type outbound struct {
	upstream.Request
	room [4]upstream.Field
}

var outbounds = sync.Pool{New: func() any { return new(outbound) }}

func (o *outbound) Get(name string) string { return o.Header.Get(name) }

func (o *outbound) Set(name, value string) {
	o.Header = append(o.Header, upstream.Field{Name: name, Value: value})
}

func (o *outbound) Keys() []string { return nil }
