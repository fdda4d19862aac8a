package gpt

import (
	"log/slog"
	"os"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
)

// Deps are what the room is given. The room calls no other room.
type Deps struct {
	// SQLite or Postgres keeps the ledger: exactly one, migrated.
	SQLite   *sqlite.DB
	Postgres *postgres.DB
	// Events records what is told of attempts. Nil tells nothing.
	Events *events.Recorder
	// Logger takes the room's log. Nil means slog.Default.
	Logger *slog.Logger
	// Metrics takes the room's metrics. Nil means none.
	Metrics prometheus.Registerer
	// Tracer makes one span for each attempt. Nil means none; the context's own
	// trace is handed to providers all the same.
	Tracer trace.Tracer
	// Clock is the time. Nil means time.Now.
	Clock func() time.Time
	// Instance is a name of this process for the log and the ledger.
	Instance string
	// Version is the program's, for User-Agent. Empty means "dev".
	Version string
	// Getenv reads the environment. Nil means os.Getenv.
	Getenv func(string) string
	// Upstream makes the requests of all providers. Nil lets the room make and
	// close its own.
	Upstream upstream.Doer
}

func (d *Deps) defaults() {
	if d.Logger == nil {
		d.Logger = slog.Default()
	}
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Version == "" {
		d.Version = "dev"
	}
	if d.Getenv == nil {
		d.Getenv = os.Getenv
	}
}
