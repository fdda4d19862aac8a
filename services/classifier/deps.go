package classifier

import (
	"log/slog"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Deps is what the room needs from the process.
type Deps struct {
	// Logger is for what happens outside of calls. Nil discards it.
	Logger *slog.Logger
	// Metrics takes the room's metrics. Nil keeps them unregistered.
	Metrics prometheus.Registerer
	// Clock tells the time. Nil is time.Now.
	Clock func() time.Time
	// Instance is the unique name of this process.
	Instance string
}
