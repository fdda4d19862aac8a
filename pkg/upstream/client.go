package upstream

import (
	"context"
	"errors"
	"io"
	"sync"
	"syscall"
	"time"

	"github.com/gptmesh/gptmesh/pkg/stacks"
)

// Client is the lean HTTP/1.1 client. It runs no goroutine of its own; a request runs one only while a body of more than
// 32 KiB is written, and has ended it when its answer has been read or closed.
type Client struct {
	cfg  Config
	pool pool

	streams struct { // requests with a Stream go over the standard transport
		sync.Mutex
		client *Standard
	}
}

var _ Doer = (*Client)(nil)

// NewClient returns a lean client whatever Config.Transport says. Proxy, HTTP2 and Compression must not be set.
func NewClient(cfg Config) (*Client, error) {
	cfg.Transport = TransportLean
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.withDefaults()
	return &Client{cfg: cfg, pool: pool{perHost: cfg.MaxIdlePerHost, timeout: cfg.IdleConnTimeout, idle: map[string][]*conn{}}}, nil
}

// Close implements Doer.
func (c *Client) Close() error {
	c.pool.close()
	c.streams.Lock()
	defer c.streams.Unlock()
	if c.streams.client != nil {
		return c.streams.client.Close()
	}
	return nil
}

// streaming is the client of requests with a Stream.
func (c *Client) streaming() (*Standard, error) {
	c.streams.Lock()
	defer c.streams.Unlock()
	if c.streams.client == nil {
		client, err := NewStandard(c.cfg)
		if err != nil {
			return nil, err
		}
		client.transport.Proxy = nil // this client has none
		c.streams.client = client
	}
	return c.streams.client, nil
}

// Do implements Doer.
func (c *Client) Do(ctx context.Context, req *Request) (*Response, error) {
	if err := c.check(ctx, req); err != nil {
		return nil, &Error{Op: "request", Host: req.Target.host, Err: err}
	}
	if req.Stream != nil {
		return c.doStream(ctx, req)
	}
	sent := false
	for cn := c.pool.get(req.Target.key); cn != nil; cn = c.pool.get(req.Target.key) {
		resp, stale, err := c.exchange(ctx, req, cn)
		if err == nil {
			return resp, nil
		}
		if err.Err == errUnfit {
			continue
		}
		if !stale || req.NoRetry {
			return nil, err
		}
		sent = err.Sent
		break
	}
	cn, err := c.connect(ctx, &req.Target)
	if err != nil {
		err.Sent = sent
		return nil, err
	}
	resp, _, err := c.exchange(ctx, req, cn)
	if err != nil {
		err.Sent = err.Sent || sent
		return nil, err
	}
	return resp, nil
}

// check says why a request is not made.
func (c *Client) check(ctx context.Context, req *Request) error {
	if err := req.check(); err != nil {
		return err
	}
	if c.pool.isClosed() {
		return ErrClosed
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return nil
}

func (c *Client) doStream(ctx context.Context, req *Request) (*Response, error) {
	client, err := c.streaming()
	if err != nil {
		return nil, &Error{Op: "request", Host: req.Target.host, Err: err}
	}
	return client.Do(ctx, req)
}

func (c *Client) connect(ctx context.Context, t *Target) (cn *conn, err *Error) {
	c.cfg.Stacks.Do(stacks.Func(func() { cn, err = c.cfg.connect(ctx, *t) }))
	return cn, err
}

// exchange sends the request on the connection and reads the head of its answer. stale tells that the connection ended
// without a byte of an answer, in the way one does that the server had closed before.
func (c *Client) exchange(ctx context.Context, req *Request, cn *conn) (resp *Response, stale bool, err *Error) {
	x := new(exchange) // not a literal, which would be made on the stack and copied
	x.client, x.cn, x.ctx, x.host = c, cn, ctx, req.Target.host
	x.headerTimeout, x.idleTimeout = choose(req.HeaderTimeout, c.cfg.HeaderTimeout), choose(req.IdleTimeout, c.cfg.IdleTimeout)
	if req.Ready != nil {
		if err := req.Ready(); err != nil {
			cn.used = true // it may be idle for long, and must be looked at as any other
			c.pool.put(cn)
			return nil, false, &Error{Op: "request", Host: x.host, Err: &notReady{err}}
		}
	}
	x.watched()
	op := "write"
	cause := x.send(req)
	if cause == nil {
		op = "head"
		cause = x.head(req)
	}
	if cause == nil {
		x.resp.Body = x
		return &x.resp, false, nil
	}
	x.abandon()
	sent := x.wrote > 0
	if ctx.Err() == nil && !x.answered {
		stale = !sent && op == "write" && !errors.Is(cause, ErrHeaderTimeout) || closedByPeer(cause)
	}
	return nil, stale, &Error{Op: op, Host: x.host, Sent: sent, Err: cause}
}

func closedByPeer(err error) bool {
	return errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
}

func choose(own, general time.Duration) time.Duration {
	if own != 0 {
		return own
	}
	return general
}
