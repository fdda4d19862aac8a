package session

import (
	"log/slog"
	"time"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/prometheus/client_golang/prometheus"
)

// Deps is what the room needs from the process.
type Deps struct {
	// SQLite or Postgres is the room's store, exactly one of them, migrated.
	// The room does not close it.
	SQLite   *sqlite.DB
	Postgres *postgres.DB
	// Events records what is told of sessions; nil tells nothing.
	Events *events.Recorder
	// Logger is for what happens outside of calls. Nil discards it.
	Logger *slog.Logger
	// Metrics takes the room's metrics. Nil keeps them unregistered.
	Metrics prometheus.Registerer
	// Clock tells the time. Nil is time.Now.
	Clock func() time.Time
	// Instance is the unique name of this process.
	Instance string
}
