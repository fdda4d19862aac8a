package request

import (
	"errors"
	"log/slog"
	"time"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
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
	// Response makes answers. Required.
	Response responsev1.ResponseServiceCaller
	// ResponseApart says that Response is another process, where an answer may come to
	// its end after the call for it has ended here.
	ResponseApart bool
	// Session keeps conversations. Required.
	Session sessionv1.SessionServiceCaller
	// Classifier labels texts for model "auto"; nil means that there is none.
	Classifier classifierv1.ClassifierServiceCaller
	// ClassifierHere says that Classifier is of this process, so that a look at a short
	// text takes microseconds.
	ClassifierHere bool
	// GPT knows the models that "auto" chooses among; nil leaves the choice to
	// what the policies name.
	GPT gptv1.GPTServiceCaller
	// Events records what is told of requests; nil tells nothing.
	Events *events.Recorder
	// Subscriber tells of sessions that ended; nil leaves that to the session
	// room, which is asked with every turn.
	Subscriber events.Subscriber
	// Codec finds the codec of a wire, nil where there is none. Nil means the
	// table of package dialects.
	Codec func(conversationv1.Wire) wire.Codec
	// Logger takes the log; nil throws it away.
	Logger *slog.Logger
	// Metrics takes the metrics; nil throws them away.
	Metrics prometheus.Registerer
	// Clock gives the time; nil means time.Now.
	Clock func() time.Time
	// Seed makes draws among equal models repeatable; 0 means that they are not.
	Seed uint64
	// Instance names this process in rows, for people; the room adds what makes
	// it unique.
	Instance string
}

func (d *Deps) check() error {
	switch {
	case (d.SQLite == nil) == (d.Postgres == nil):
		return errors.New("request: exactly one of SQLite and Postgres must be set")
	case d.Response == nil:
		return errors.New("request: Response is not set")
	case d.Session == nil:
		return errors.New("request: Session is not set")
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
		d.Instance = "request"
	}
	return nil
}

func knownCodec(w conversationv1.Wire) wire.Codec {
	if codec, ok := dialects.For(w); ok {
		return codec
	}
	return nil
}
