package classifier

import (
	"log/slog"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
	"github.com/prometheus/client_golang/prometheus"
)

// Deps is what the room needs from the process.
type Deps struct {
	// SQLite or Postgres is the room's store, migrated; at most one of them. The
	// room does not close it. Without either nothing is learned, and
	// LearningService is not served.
	SQLite   *sqlite.DB
	Postgres *postgres.DB
	// Events makes the records of what is told. Nil tells nothing.
	Events *events.Recorder
	// Subscriber brings completed tasks. Nil means that none come.
	Subscriber events.Subscriber
	// GPT calls the language model of the last tier. Required where one is
	// configured.
	GPT gptv1.GPTServiceCaller
	// BuiltIn gives the models that answer until others are trained. It is
	// called once, when they are first needed. Nil is the program's own.
	BuiltIn func() (*learn.Set, error)
	// Logger is for what happens outside of calls. Nil discards it.
	Logger *slog.Logger
	// Metrics takes the room's metrics. Nil keeps them unregistered.
	Metrics prometheus.Registerer
	// Clock tells the time. Nil is time.Now.
	Clock func() time.Time
	// Instance is the unique name of this process.
	Instance string
}
