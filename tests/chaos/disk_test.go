package chaos

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// smallDisk mounts a file system of its own at a folder, which needs the right
// to do so.
func smallDisk(t *testing.T, folder string, megabytes int) {
	t.Helper()
	if err := os.MkdirAll(folder, 0o700); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.Command("mount", "-t", "tmpfs", "-o", fmt.Sprintf("size=%dm", megabytes), "tmpfs", folder).CombinedOutput(); err != nil {
		t.Skipf("no file system can be mounted here, which takes root: %v: %s", err, out)
	}
	t.Cleanup(func() {
		if out, err := exec.Command("umount", folder).CombinedOutput(); err != nil {
			t.Errorf("%v: %s", err, out)
		}
	})
}

// TestDiskFull fills the disk under the embedded stores: what cannot be kept is
// refused with a typed error and never acknowledged, the process lives, and
// answers again when there is room.
func TestDiskFull(t *testing.T) {
	p := provider.Start(t, provider.Config{OpenAI: []string{model}})
	mesh := harness.New(t, harness.Config{Provider: p, Settings: settings()})
	data := filepath.Join(mesh.Dir, "data-up")
	smallDisk(t, data, 96)
	t.Cleanup(func() { // before the disk is taken away
		if len(mesh.Processes) > 0 {
			mesh.Processes[0].Kill()
		}
	})
	mesh.Processes[0].Begin(t)
	mesh.AwaitReady(t)

	random := rand.New(rand.NewPCG(1, 1))
	ask := func(name string) *turn {
		next := newTurn(p, random, name)
		next.kind = "plain"
		p.Script(next.scene, provider.Script{Steps: []provider.Step{provider.Text(next.text)}})
		ctx, cancel := context.WithTimeout(t.Context(), askLimit)
		defer cancel()
		next.answer, next.err = next.face.Ask(ctx, mesh, face.Ask{
			Model: model, Text: provider.Prompt(next.scene), Stream: next.stream, Session: "new", IdempotencyKey: next.scene, User: next.scene,
		})
		next.calls, next.outcome = 1, failed
		switch {
		case ctx.Err() != nil:
			next.outcome = hung
		case next.answer.Complete && next.err == nil:
			next.outcome = answered
		case next.answer.Error == nil:
			t.Errorf("%s: no typed error: %v %+v", name, next.err, next.answer)
		}
		return next
	}
	var turns []*turn
	for i := range 20 {
		turns = append(turns, ask(fmt.Sprint("room-", i)))
	}
	ballast := filepath.Join(data, "ballast")
	fill(t, ballast)
	if status, body := readiness(t, mesh); status != http.StatusServiceUnavailable || !strings.Contains(body, "the disk of the data folder is full") {
		t.Errorf("ready on a full disk: %d %s", status, body)
	}
	refused := 0
	for i := range 60 {
		next := ask(fmt.Sprint("full-", i))
		if turns = append(turns, next); next.outcome == failed {
			refused++
		}
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	mesh.AwaitReady(t)
	// Who was refused asks again, under the same key.
	for _, before := range turns {
		if before.outcome == failed {
			before.run(t.Context(), mesh)
		}
	}
	last := ask("room again")
	if turns = append(turns, last); last.outcome != answered {
		t.Errorf("there is room again, and it does not answer: %v %+v", last.err, last.answer)
	}
	result := &report{Faults: map[string]int{"turns refused for a full disk": refused}}
	check := &checker{t: t, mesh: mesh, provider: p, report: result}
	check.check(t.Context(), turns)
	t.Logf("\n%v", result)
	if refused == 0 {
		t.Error("the disk was not full")
	}
}

// readiness is what the process says to a load balancer.
func readiness(t *testing.T, mesh *harness.Mesh) (int, string) {
	t.Helper()
	resp, err := mesh.HTTP().Get(mesh.URL + "/readyz")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(body)
}

// fill takes all room of a file system.
func fill(t *testing.T, path string) {
	t.Helper()
	f, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for _, size := range []int{1 << 20, 4 << 10, 512} {
		piece := make([]byte, size)
		for deadline := time.Now().Add(harness.Patience); time.Now().Before(deadline); {
			if _, err := f.Write(piece); err != nil {
				break
			}
		}
	}
}
