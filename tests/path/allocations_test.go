package path

import (
	"bufio"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/tests/harness"
)

// maxAllocations bounds what a whole process allocates for a plain turn of 4 KB
// that is answered with one JSON body, with everything on: its share of the
// rooms' own work beside it, such as commits, is in it.
const maxAllocations = 150

// A turn's way must not grow fat unseen. Counts are the same on a slow machine,
// unlike times.
func TestAllocationsPerTurn(t *testing.T) {
	t.Parallel()
	const answer = `{"id":"c1","object":"chat.completion","created":1,"model":"m","choices":[{"index":0,"message":{"role":"assistant","content":"%s"},` +
		`"finish_reason":"stop"}],"usage":{"prompt_tokens":9,"completion_tokens":12,"total_tokens":21}}`
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		fmt.Fprintf(w, answer, strings.Repeat("x", 1000))
	}))
	defer server.Close()
	mesh := harness.Start(t, harness.Config{Settings: map[string]any{"gpt": map[string]any{
		"discovery": map[string]any{"enabled": false},
		"providers": map[string]any{"p": map[string]any{"kind": "openai", "base_url": server.URL + "/v1", "api_key": "k", "models": []string{"m"}}},
	}}})
	body := `{"model":"m","messages":[{"role":"user","content":"` + strings.Repeat("y", 4<<10) + `"}]}`
	turns := func(n int) {
		for range n {
			resp, err := mesh.HTTP().Post(mesh.URL+"/v1/chat/completions", "application/json", strings.NewReader(body))
			if err != nil {
				t.Fatal(err)
			}
			text, err := io.ReadAll(resp.Body)
			resp.Body.Close()
			if err != nil || resp.StatusCode != http.StatusOK {
				t.Fatalf("%d %s (%v)", resp.StatusCode, text, err)
			}
		}
	}
	turns(100) // models are read, statements prepared, buffers made
	// What the process does by the clock and not by the turn is in the figure too: the
	// more, the slower the machine is. The least of a few windows has the least of it.
	const n, windows = 200, 5
	least := math.Inf(1)
	for range windows {
		before := metric(t, mesh.Processes[0].Admin, "go_memstats_mallocs_total")
		turns(n)
		least = min(least, (metric(t, mesh.Processes[0].Admin, "go_memstats_mallocs_total")-before)/n)
		if least <= maxAllocations {
			t.Logf("%.0f allocations per turn", least)
			return
		}
	}
	t.Errorf("%.0f allocations per turn, want %d at most", least, maxAllocations)
}

// metric is the value of a gauge or counter of a process that has no labels.
func metric(t *testing.T, admin, name string) float64 {
	t.Helper()
	resp, err := http.Get("http://" + admin + "/metrics")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	lines := bufio.NewScanner(resp.Body)
	for lines.Scan() {
		if value, ok := strings.CutPrefix(lines.Text(), name+" "); ok {
			n, err := strconv.ParseFloat(value, 64)
			if err != nil {
				t.Fatal(err)
			}
			return n
		}
	}
	t.Fatalf("the program does not tell %s", name)
	return 0
}
