package chaos

import (
	"bytes"
	"context"
	"encoding/json"
	"math/rand/v2"
	"sync"
	"testing"
	"time"

	"github.com/Shopify/toxiproxy/v2"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/rs/zerolog"
)

// links are fault proxies, one for each way between two processes.
type links struct {
	t      *testing.T
	server *toxiproxy.ApiServer

	mu    sync.Mutex
	names []string
	all   map[string]*toxiproxy.Proxy
}

func newLinks(t *testing.T) *links {
	l := &links{
		t: t, all: map[string]*toxiproxy.Proxy{},
		server: toxiproxy.NewServer(toxiproxy.NewMetricsContainer(prometheus.NewRegistry()), zerolog.Nop()),
	}
	t.Cleanup(func() {
		for _, p := range l.all {
			p.Stop()
		}
	})
	return l
}

// through returns the address of a proxy that leads to upstream.
func (l *links) through(from, to, upstream string) string {
	l.mu.Lock()
	defer l.mu.Unlock()
	name := from + ">" + to
	if p := l.all[name]; p != nil {
		return p.Listen
	}
	p := toxiproxy.NewProxy(l.server, name, "127.0.0.1:0", upstream)
	if err := p.Start(); err != nil {
		l.t.Fatal(err)
	}
	l.all[name], l.names = p, append(l.names, name)
	return p.Listen
}

// toxic is one way in which a link can fail.
type toxic struct {
	name       string
	kind       string
	stream     string
	attributes map[string]any
}

var toxics = []toxic{
	{"latency", "latency", "downstream", map[string]any{"latency": 150, "jitter": 100}},
	{"latency upstream", "latency", "upstream", map[string]any{"latency": 150, "jitter": 100}},
	{"reset", "reset_peer", "downstream", map[string]any{"timeout": 0}},
	{"reset upstream", "reset_peer", "upstream", map[string]any{"timeout": 0}},
	{"stall", "timeout", "downstream", map[string]any{"timeout": 0}},
	{"slices", "slicer", "downstream", map[string]any{"average_size": 40, "size_variation": 20, "delay": 100}},
	{"cut", "", "", nil},
}

// harm breaks a link for a while, and says which and how.
func (l *links) harm(random *rand.Rand, d time.Duration) string {
	l.mu.Lock()
	name := l.names[random.IntN(len(l.names))]
	p := l.all[name]
	l.mu.Unlock()
	x := toxics[random.IntN(len(toxics))]
	if x.kind == "" {
		p.Stop() // closes what is open and refuses what comes
		time.Sleep(d)
		if err := p.Start(); err != nil {
			l.t.Errorf("%s cannot be mended: %v", name, err)
		}
		return x.name
	}
	text, err := json.Marshal(map[string]any{"name": "x", "type": x.kind, "stream": x.stream, "toxicity": 1, "attributes": x.attributes})
	if err != nil {
		l.t.Error(err)
		return x.name
	}
	if _, err := p.Toxics.AddToxicJson(bytes.NewReader(text)); err != nil {
		l.t.Errorf("%s: %v", name, err)
		return x.name
	}
	time.Sleep(d)
	if err := p.Toxics.RemoveToxic(context.Background(), "x"); err != nil {
		l.t.Errorf("%s cannot be mended: %v", name, err)
	}
	return x.name
}
