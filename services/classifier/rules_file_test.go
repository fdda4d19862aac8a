package classifier_test

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/services/classifier"
	"github.com/prometheus/client_golang/prometheus"
)

// Recording rules and alerts name metrics that the room has, and series that
// the file records before.
func TestRulesNameMetrics(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../../deploy/prometheus/classifier.rules.yml")
	if err != nil {
		t.Fatal(err)
	}
	registry := prometheus.NewRegistry()
	room := enrol(t, stores(t)["sqlite"], func(_ *classifier.Config, d *classifier.Deps) { d.Metrics = registry })
	room.teach(t, 1, "test", "rockets")
	descriptions := make(chan *prometheus.Desc, 100)
	registry.Describe(descriptions)
	close(descriptions)
	known := map[string]bool{}
	for d := range descriptions {
		known[regexp.MustCompile(`fqName: "(\w+)"`).FindStringSubmatch(d.String())[1]] = true
	}
	used := 0
	for line := range strings.Lines(string(text)) {
		if name, ok := strings.CutPrefix(strings.TrimSpace(line), "- record: "); ok {
			known[name] = true
			continue
		}
		for _, name := range regexp.MustCompile(`gptmesh_\w+(:\w+)*`).FindAllString(line, -1) {
			used++
			if !known[name] {
				t.Errorf("there is no %s", name)
			}
		}
	}
	if used == 0 {
		t.Error("the rules name no metric")
	}
}
