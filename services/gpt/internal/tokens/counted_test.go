package tokens

import (
	"math/rand/v2"
	"strings"
	"sync"
	"testing"
)

// TestCountedAgain: texts that are counted again, grown and by many at once, are as many
// tokens as those that are counted for the first time.
func TestCountedAgain(t *testing.T) {
	t.Parallel()
	var counter Counter
	words := strings.Fields("the weather of the coast in spring 1,234 {\"a\":[1,2]} Größe 数字 and\n\nwhy")
	random := rand.New(rand.NewPCG(1, 2))
	texts := make([]string, 200)
	for i := range texts {
		var text strings.Builder
		if i > 0 {
			text.WriteString(texts[i-1][:len(texts[i-1])/2]) // cut anywhere
		}
		for range random.IntN(400) {
			text.WriteString(words[random.IntN(len(words))] + " ")
		}
		texts[i] = text.String()
	}
	fresh := func(text string) (sum int64) {
		e, err := counter.encoding(o200kBase)
		if err != nil {
			t.Fatal(err)
		}
		alone := *e
		alone.counted = newCounted()
		return count(&alone, text)
	}
	want := make([]int64, len(texts))
	for i, text := range texts {
		want[i] = fresh(text)
	}
	var wg sync.WaitGroup
	for range 4 {
		wg.Go(func() {
			for i, text := range texts {
				if got, err := counter.Text("gpt-4o", text); err != nil || got.Tokens != want[i] {
					t.Errorf("%d bytes are %d tokens, %v; want %d", len(text), got.Tokens, err, want[i])
				}
			}
		})
	}
	wg.Wait()
}

func BenchmarkCountAgain(b *testing.B) {
	var counter Counter
	text := strings.Repeat("Say in a few words what the weather of the coast is like in spring, and why. ", 13)
	b.SetBytes(int64(len(text)))
	b.ReportAllocs()
	if _, err := counter.Text("gpt-4o", text); err != nil { // loads
		b.Fatal(err)
	}
	for b.Loop() {
		if _, err := counter.Text("gpt-4o", text); err != nil {
			b.Fatal(err)
		}
	}
}
