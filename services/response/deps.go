package response

import (
	"errors"
	"log/slog"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/wire"
	"github.com/gptmesh/gptmesh/wire/dialects"
	"github.com/prometheus/client_golang/prometheus"
)

// Deps is what the room stands on. The stores are migrated by whoever opens
// them, see Migrations, and closed after the room.
type Deps struct {
	// SQLite and Postgres hold the room's tables: exactly one is set.
	SQLite   *sqlite.DB
	Postgres *postgres.DB
	// GPT makes model calls. Required.
	GPT gptv1.GPTServiceCaller
	// Session keeps conversations. Required.
	Session sessionv1.SessionServiceCaller
	// SessionBehind says that what Session writes is durable only where all is that
	// this room has written before, as both do it through one journal. An append then
	// need not wait for its answer.
	SessionBehind bool
	// Classifier looks at answers for the guard; nil means that nobody does.
	Classifier classifierv1.ClassifierServiceCaller
	// Events records what is told of answers; nil tells nothing.
	Events *events.Recorder
	// Codec finds the codec of a wire, nil where there is none. Nil means the
	// table of package dialects.
	Codec func(conversationv1.Wire) wire.Codec
	// Logger takes the log; nil throws it away.
	Logger *slog.Logger
	// Metrics takes the metrics; nil throws them away.
	Metrics prometheus.Registerer
	// Clock gives the time; nil means time.Now.
	Clock func() time.Time
	// Instance names this process in rows, for people; the room adds what makes
	// it unique.
	Instance string
}

func (d *Deps) check() error {
	switch {
	case (d.SQLite == nil) == (d.Postgres == nil):
		return errors.New("response: exactly one of SQLite and Postgres must be set")
	case d.GPT == nil:
		return errors.New("response: GPT is not set")
	case d.Session == nil:
		return errors.New("response: Session is not set")
	}
	if d.Codec == nil {
		d.Codec = knownCodec
	}
	if d.Logger == nil {
		d.Logger = slog.New(slog.DiscardHandler)
	}
	if d.Clock == nil {
		d.Clock = time.Now
	}
	if d.Instance == "" {
		d.Instance = "response"
	}
	return nil
}

func knownCodec(w conversationv1.Wire) wire.Codec {
	if codec, ok := dialects.For(w); ok {
		return codec
	}
	return nil
}
