package session_test

import (
	"fmt"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
)

func BenchmarkAppend(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		b.Run(name, func(b *testing.B) {
			cfg := config()
			cfg.MaxMessages = 1 << 40
			r := backends[name](b, cfg)
			r.create(b, "s")
			body := strings.Repeat("x", 400)
			b.ReportAllocs()
			n := 0
			for b.Loop() {
				n++
				r.append(b, "s", user(fmt.Sprint("q", n), body), text(fmt.Sprint("a", n), assistant, body))
			}
		})
	}
}

// BenchmarkGetContext has a budget of 2,000 tokens: some twenty messages. What
// it costs must not grow with the session.
func BenchmarkGetContext(b *testing.B) {
	for _, name := range []string{"sqlite", "postgres"} {
		for _, size := range []int{10, 1000, 10_000} {
			b.Run(fmt.Sprintf("%s/messages=%d", name, size), func(b *testing.B) {
				r := backends[name](b, config())
				r.create(b, "s", text("sys", system, "be brief"))
				body := strings.Repeat("x", 400)
				for i := 0; i < size; {
					var batch []*conversationv1.Message
					for ; i < size && len(batch) < 1000; i++ {
						batch = append(batch, user(fmt.Sprint(i), body))
					}
					r.append(b, "s", batch...)
				}
				b.ReportAllocs()
				for b.Loop() {
					if _, err := r.GetContext(as(b, "me"), &sessionv1.GetContextRequest{SessionId: "s", MaxTokens: 2000}); err != nil {
						b.Fatal(err)
					}
				}
			})
		}
	}
}
