package transport

import (
	"context"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/wire/openai"
)

// TestLongBodies: bodies of all lengths arrive as they were sent, those of others who
// ask at once beside them, where servers answer before they have read and clients leave.
func TestLongBodies(t *testing.T) {
	t.Parallel()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		const answer = `{"id":"1","object":"chat.completion","model":"m","choices":[{"index":0,"message":{"role":"assistant","content":%q},"finish_reason":"stop"}]}`
		if r.Header.Get("X-Early") != "" {
			fmt.Fprintf(w, answer, "early")
			return
		}
		body, err := io.ReadAll(r.Body)
		if err != nil {
			return
		}
		text := string(body)
		from := strings.Index(text, `"content":"`) + len(`"content":"`)
		end := from + strings.Index(text[from:], `"`)
		said := text[from:end]
		if strings.Count(said, said[:1]) != len(said) {
			t.Errorf("a body of %d bytes is mixed up", len(said))
		}
		fmt.Fprintf(w, answer, fmt.Sprint(said[:1], len(said)))
	}))
	defer server.Close()
	doer, err := upstream.NewClient(upstream.Config{})
	if err != nil {
		t.Fatal(err)
	}
	defer doer.Close()
	client, err := New(Config{Name: "p", BaseURL: server.URL, Doer: doer})
	if err != nil {
		t.Fatal(err)
	}
	ask := func(ctx context.Context, letter string, size int, header upstream.Header) (string, error) {
		codec := openai.Chat()
		turn, err := codec.ScanTurn([]byte(fmt.Sprintf(`{"model":"x","messages":[{"role":"user","content":"%s"}]}`, strings.Repeat(letter, size))))
		if err != nil {
			return "", err
		}
		var said string
		err = client.Generate(ctx, fixedWords{Codec: codec, Path: "/chat", Header: header}, &provider.Call{Turn: turn, Model: "m"}, func(c *conversationv1.Chunk) error {
			said = string(c.GetRaw().GetData())
			return nil
		})
		return said, err
	}
	var asking sync.WaitGroup
	for n := range 8 {
		asking.Go(func() {
			letter := string(rune('a' + n))
			for _, size := range []int{1, 15 << 10, 16 << 10, 31 << 10, 64 << 10, 100_000, 255 << 10, 300 << 10} {
				said, err := ask(t.Context(), letter, size, nil)
				if want := fmt.Sprintf(`"content":"%s%d"`, letter, size); err != nil || !strings.Contains(said, want) {
					t.Errorf("%s, %d bytes: %.200q, %v", letter, size, said, err)
				}
				// Whatever comes of these, the memory is not given to others too early.
				_, _ = ask(t.Context(), letter, size, upstream.Header{{Name: "X-Early", Value: "1"}})
				ctx, leave := context.WithCancel(t.Context())
				asking.Go(leave)
				_, _ = ask(ctx, letter, size, nil)
			}
		})
	}
	asking.Wait()
}

// fixedWords are the same for all calls.
type fixedWords Chat

func (w fixedWords) Chat(_ *provider.Call, chat *Chat) error {
	*chat = Chat(w)
	return nil
}
