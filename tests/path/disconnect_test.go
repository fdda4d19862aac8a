package path

import (
	"context"
	"errors"
	"testing"

	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// leaveAfter asks over a face and leaves at the second text. It returns the
// answer's id.
func (w *world) leaveAfter(t *testing.T, f face.Face, scene, policy string) string {
	t.Helper()
	ctx, leave := context.WithCancel(limit(t))
	defer leave()
	texts := 0
	answer, _ := f.Ask(ctx, w.Mesh, face.Ask{
		Model: openAIModel, Text: provider.Prompt(scene), Stream: true, IdempotencyKey: scene,
		OnDisconnect: policy,
		OnText: func(string) {
			if texts++; texts == 2 {
				leave()
			}
		},
	})
	if answer.Complete || answer.ResponseID == "" {
		t.Fatalf("%+v", answer)
	}
	return answer.ResponseID
}

// TestOnDisconnect leaves streams over HTTP under each policy, and resumes them
// through another process.
func TestOnDisconnect(t *testing.T) {
	t.Parallel()
	one, two := startReplicas(t, living())
	for _, f := range []face.Face{face.OpenAI{}, face.Ollama{}, face.Anthropic{}} {
		for _, policy := range []string{"cancel", "drain", "detach"} {
			t.Run(f.Name()+" "+policy, func(t *testing.T) {
				release := make(chan struct{})
				one.provider.Script(t.Name(), provider.Say("a b ").Then(provider.Wait(release), provider.Text("c "), provider.Text("d")))
				id := one.leaveAfter(t, f, t.Name(), policy)
				if policy == "cancel" {
					one.provider.Await(t, t.Name(), 0).MustLoseClient(t)
					close(release)
					reason, err := two.watchREST(limit(t), id, 1, func(int64, string) {})
					if reason != "CANCELLED" || err != nil {
						t.Errorf("%s %v", reason, err)
					}
					return
				}
				text, last, live := "", int64(0), make(chan struct{})
				over := make(chan error, 1)
				go func() {
					reason, err := two.watchREST(limit(t), id, 0, func(sequence int64, piece string) {
						if sequence != last+1 {
							t.Errorf("chunk %d after %d", sequence, last)
						}
						last = sequence
						if text += piece; text == "a b " && piece != "" {
							close(live)
						}
					})
					if reason != "" {
						err = errors.New(reason)
					}
					over <- err
				}()
				waited(t, "what another process brings", live)
				close(release)
				if err := <-over; err != nil || text != "a b c d" {
					t.Errorf("%q %v", text, err)
				}
				whole := last
				for after := int64(1); after < whole; after++ {
					var seen []int64
					if _, err := two.watchREST(limit(t), id, after, func(n int64, _ string) { seen = append(seen, n) }); err != nil ||
						len(seen) != int(whole-after) || seen[0] != after+1 {
						t.Errorf("after %d of %d: %v %v", after, whole, seen, err)
					}
				}
			})
		}
	}
}
