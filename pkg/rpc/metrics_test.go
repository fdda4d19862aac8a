package rpc

import (
	"testing"

	"github.com/prometheus/client_golang/prometheus"
)

func TestMetricsOfOneNameAreRefused(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	if _, err := NewCallMetrics(registry); err != nil {
		t.Fatal(err)
	}
	if _, err := NewCallMetrics(registry); err == nil {
		t.Error("metrics of the same names were taken")
	}
}
