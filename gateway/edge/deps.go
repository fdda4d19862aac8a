package edge

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"github.com/gptmesh/gptmesh/pkg/auth"
	"github.com/gptmesh/gptmesh/pkg/ratelimit"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// Deps are what the edge works with.
type Deps struct {
	// Auth knows the keys. Required.
	Auth *auth.Authenticator
	// Limiter counts calls. Nil means no limits.
	Limiter *ratelimit.Limiter
	// Faces are what is served. A path that no face has is answered by the face
	// with the longest prefix of it; one of them must have "/".
	Faces []Face
	// Ready says how the rooms are. Nil means that there are none to ask.
	Ready func(ctx context.Context) []Room
	// GRPC serves native gRPC calls that come over HTTP/2 to the same port. Nil
	// means that there are none.
	GRPC http.Handler
	// Logger takes one line per request. Nil discards.
	Logger *slog.Logger
	// Metrics takes the edge's metrics. Nil means that none are kept.
	Metrics prometheus.Registerer
	// Tracer makes the span of each request. Nil makes none.
	Tracer trace.TracerProvider
	// Clock is the time. Nil means time.Now.
	Clock func() time.Time
}

// Room is how a room is.
type Room struct {
	// Name is the room's name.
	Name string
	// Err says why it cannot serve. Nil where it can.
	Err error
}
