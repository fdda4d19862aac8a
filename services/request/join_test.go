package request

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

func TestLastAfter(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	found := 0
	for range 20_000 {
		// Of two letters, so that beginnings repeat themselves.
		letters := func(n int) []byte {
			out := make([]byte, n)
			for i := range out {
				out[i] = "ab"[random.IntN(2)]
			}
			return out
		}
		list, part := letters(random.IntN(12)), letters(1+random.IntN(5))
		end, ok := lastAfter(list, part)
		want := strings.LastIndex(string(list), string(part))
		if ok != (want >= 0) || ok && end != want+len(part) {
			t.Fatalf("%s in %s ends at %d, %t; want %d", part, list, end, ok, want+len(part))
		}
		if ok {
			found++
		}
	}
	if found == 0 {
		t.Fatal("nothing was ever found")
	}
}

// BenchmarkContinuation finds the newest twenty messages of a session, whose
// beginning was left out, in the whole history that a client sends: messages that
// differ, and such that say the same for ever.
func BenchmarkContinuation(b *testing.B) {
	for _, alike := range []bool{false, true} {
		for _, n := range []int{10, 100, 1_000, 10_000} {
			b.Run(fmt.Sprintf("alike=%t/messages=%d", alike, n), func(b *testing.B) {
				var rest []*conversationv1.Message
				for i := range n {
					text := fmt.Sprint(i)
					if alike {
						text = "go on"
					}
					rest = append(rest, &conversationv1.Message{Role: conversationv1.Role(2 + i%2), Parts: []*conversationv1.ContentPart{
						{Kind: &conversationv1.ContentPart_Text{Text: text}},
					}})
				}
				history := slices.Clone(rest[max(0, n-20):])
				if alike { // and does not fit
					history[0] = &conversationv1.Message{Role: conversationv1.Role_ROLE_TOOL}
				}
				b.ReportAllocs()
				for b.Loop() {
					if _, ok := continuation(history, rest, true); ok == alike {
						b.Fatal("found?", ok)
					}
				}
			})
		}
	}
}
