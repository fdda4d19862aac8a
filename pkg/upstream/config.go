package upstream

import (
	"context"
	"crypto/tls"
	"fmt"
	"net"
	"net/url"
	"os"
	"time"

	"github.com/gptmesh/gptmesh/pkg/socket"
	"github.com/gptmesh/gptmesh/pkg/stacks"
)

// The values of Config.Transport.
const (
	TransportAuto     = ""
	TransportLean     = "lean"
	TransportStandard = "standard"
)

// Config sets up a client. The zero value is usable.
type Config struct {
	// Transport is TransportLean, TransportStandard, or TransportAuto: lean unless Proxy, HTTP2 or Compression is set
	// or the environment names a proxy (HTTP_PROXY, HTTPS_PROXY, also in lower case).
	Transport string

	// DialTimeout bounds name resolution and connecting; zero means 10 s.
	DialTimeout time.Duration
	// TLSTimeout bounds the TLS handshake; zero means 10 s.
	TLSTimeout time.Duration
	// HeaderTimeout bounds the writing of a request, and then the waiting for the head of its answer; zero means no
	// bound. A request can set its own.
	HeaderTimeout time.Duration
	// IdleTimeout bounds each wait for more of a body; zero means no bound. A request can set its own.
	IdleTimeout time.Duration

	// MaxIdlePerHost is the number of unused connections kept for each scheme, host and port; zero means 64, and
	// negative none.
	MaxIdlePerHost int
	// IdleConnTimeout is how long an unused connection is kept; zero means 60 s.
	IdleConnTimeout time.Duration
	// MaxHeaderBytes bounds the head of an answer; zero means 64 KiB.
	MaxHeaderBytes int

	// TLS is used for https, for its RootCAs, ServerName and Certificates; it is cloned. NextProtos is overwritten.
	TLS *tls.Config
	// Dial replaces the connecting, for tests and for guards that look at addresses. The network is "tcp" or "unix".
	Dial func(ctx context.Context, network, address string) (net.Conn, error)

	// Stacks lend the stack on which the lean client dials and hands bodies on, so that the goroutine which waits for
	// more needs no deep one. Nil for the goroutine's own.
	Stacks *stacks.Pool

	// Proxy is the URL of a proxy for all requests. When empty, the standard transport asks the environment.
	Proxy string
	// HTTP2 lets https servers choose HTTP/2.
	HTTP2 bool
	// Compression asks for gzip and decodes it, unless a request sets Accept-Encoding itself.
	Compression bool
}

// Validate reports the first setting that makes no sense.
func (c Config) Validate() error {
	switch c.Transport {
	case TransportAuto, TransportStandard:
	case TransportLean:
		if c.Proxy != "" || c.HTTP2 || c.Compression {
			return fmt.Errorf("upstream: transport %q has no proxies, HTTP/2 or compression", c.Transport)
		}
	default:
		return fmt.Errorf("upstream: unknown transport %q", c.Transport)
	}
	for name, d := range map[string]time.Duration{"DialTimeout": c.DialTimeout, "TLSTimeout": c.TLSTimeout,
		"HeaderTimeout": c.HeaderTimeout, "IdleTimeout": c.IdleTimeout, "IdleConnTimeout": c.IdleConnTimeout} {
		if d < 0 {
			return fmt.Errorf("upstream: %s is negative", name)
		}
	}
	if c.MaxHeaderBytes < 0 {
		return fmt.Errorf("upstream: MaxHeaderBytes is negative")
	}
	if c.Proxy != "" {
		if u, err := url.Parse(c.Proxy); err != nil || u.Host == "" {
			return fmt.Errorf("upstream: Proxy is not a URL with a host")
		}
	}
	return nil
}

func (c Config) withDefaults() Config {
	def := func(d *time.Duration, v time.Duration) {
		if *d == 0 {
			*d = v
		}
	}
	def(&c.DialTimeout, 10*time.Second)
	def(&c.TLSTimeout, 10*time.Second)
	def(&c.IdleConnTimeout, 60*time.Second)
	if c.MaxIdlePerHost == 0 {
		c.MaxIdlePerHost = 64
	}
	if c.MaxHeaderBytes == 0 {
		c.MaxHeaderBytes = 64 << 10
	}
	if c.TLS == nil {
		c.TLS = &tls.Config{}
	} else {
		c.TLS = c.TLS.Clone()
	}
	c.TLS.NextProtos = []string{"http/1.1"}
	if c.HTTP2 {
		c.TLS.NextProtos = []string{"h2", "http/1.1"}
	}
	if c.TLS.ClientSessionCache == nil {
		c.TLS.ClientSessionCache = tls.NewLRUClientSessionCache(0)
	}
	if c.Dial == nil {
		c.Dial = socket.Dial((&net.Dialer{}).DialContext)
	}
	return c
}

func (c Config) standard() bool {
	if c.Transport != TransportAuto {
		return c.Transport == TransportStandard
	}
	if c.Proxy != "" || c.HTTP2 || c.Compression {
		return true
	}
	for _, name := range []string{"HTTP_PROXY", "http_proxy", "HTTPS_PROXY", "https_proxy"} {
		if os.Getenv(name) != "" {
			return true
		}
	}
	return false
}
