package main

import (
	"fmt"
	"log/slog"

	"github.com/gptmesh/gptmesh/pkg/events"
	"github.com/gptmesh/gptmesh/pkg/events/amqpbroker"
	"github.com/gptmesh/gptmesh/pkg/events/kafkabroker"
	"github.com/gptmesh/gptmesh/pkg/events/natsbroker"
)

// openBroker makes the broker of a driver that needs a server. It connects in
// the background: a server that is away stops nothing.
func openBroker(s eventSettings, instance string, logger *slog.Logger, metrics *events.Metrics) (events.Broker, error) {
	name := "gptmesh " + instance
	switch s.Driver {
	case "nats":
		return natsbroker.New(natsbroker.Config{URL: s.URL, Prefix: s.Prefix, Name: name, Logger: logger, Metrics: metrics})
	case "kafka":
		return kafkabroker.New(kafkabroker.Config{URL: s.URL, Prefix: s.Prefix, Name: name, Logger: logger, Metrics: metrics})
	case "rabbitmq":
		return amqpbroker.New(amqpbroker.Config{URL: s.URL, Prefix: s.Prefix, Name: name, Logger: logger, Metrics: metrics})
	}
	return nil, fmt.Errorf("driver %q is not there", s.Driver)
}
