package provider

import (
	"encoding/json"
	"net/http"
	"sync/atomic"
	"testing"
	"time"
)

// Call is one call of the mesh.
type Call struct {
	// Wire is the address that was called.
	Wire *Wire
	// Path is the path on it.
	Path string
	// Scene is the scene that the call belongs to.
	Scene string
	// Model is the model that was asked for.
	Model string
	// Stream says that the answer was asked for piece by piece.
	Stream bool
	// Header and Body are as they came.
	Header http.Header
	Body   []byte

	ended chan struct{}
	gone  chan struct{}
	whole atomic.Bool
}

// Whole says that the answer was given to its end, as far as the provider
// knows.
func (c *Call) Whole() bool { return c.whole.Load() }

// Ended is closed when the answer is over, whichever way.
func (c *Call) Ended() <-chan struct{} { return c.ended }

// ClientGone is closed when the client closed the connection, or the stream of
// the call, before the answer was over.
func (c *Call) ClientGone() <-chan struct{} { return c.gone }

// Member returns a member of the body, decoded; nil where there is none.
func (c *Call) Member(t testing.TB, name string) any {
	t.Helper()
	var body map[string]any
	if err := json.Unmarshal(c.Body, &body); err != nil {
		t.Fatalf("the provider was sent what is no JSON object: %v\n%s", err, c.Body)
	}
	return body[name]
}

// patience bounds how long a test waits for what must happen. It is no measure
// of speed: the machine may be busy.
const patience = 30 * time.Second

// MustLoseClient waits until the client has left.
func (c *Call) MustLoseClient(t testing.TB) {
	t.Helper()
	select {
	case <-c.gone:
	case <-time.After(patience):
		t.Fatalf("the provider's call of %s is still open, although its client left", c.Scene)
	}
}
