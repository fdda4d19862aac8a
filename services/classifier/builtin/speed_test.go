package builtin_test

import (
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/services/classifier/builtin"
	"github.com/gptmesh/gptmesh/services/classifier/learn"
)

// What every head of the program's own model takes on one text.
func BenchmarkAllHeads(b *testing.B) {
	set, err := builtin.Load()
	if err != nil {
		b.Fatal(err)
	}
	prose := "The login page shows a blank screen after the update to version 2.3. Steps to reproduce: open the page, enter a name and press the button. I expected to see the list of projects, but nothing happens and the console says TypeError: cannot read properties of undefined. Can you find out why, and write a test for it? "
	code := "// Total adds up the prices of a basket and leaves out what was removed.\nfunc Total(prices []int, removed map[int]bool) (sum int, err error) {\n\tfor i, p := range prices {\n\t\tif removed[i] {\n\t\t\tcontinue\n\t\t}\n\t\tsum += p\n\t}\n\treturn sum, nil\n}\n\n"
	for _, c := range []struct{ name, text string }{
		{"1KB", strings.Repeat(prose, 4)[:1024]}, {"2KB", strings.Repeat(prose, 8)[:2048]}, {"32KBCode", strings.Repeat(code, 200)[:32<<10]},
	} {
		b.Run(c.name, func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(c.text)))
			room := make([]learn.Prediction, 0, 32)
			for b.Loop() {
				set.Classify(learn.Document{Text: c.text}, room)
			}
		})
	}
}
