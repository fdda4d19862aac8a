package main

import (
	"fmt"
	"log/slog"

	"github.com/gptmesh/gptmesh/pkg/events"
)

// openBroker makes the broker of a driver that needs a server. It connects in
// the background: a server that is away stops nothing.
func openBroker(s eventSettings, instance string, logger *slog.Logger) (events.Broker, error) {
	return nil, fmt.Errorf("driver %q is not there yet", s.Driver)
}
