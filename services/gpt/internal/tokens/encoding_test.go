package tokens

import (
	"math/rand/v2"
	"strings"
	"testing"

	"github.com/dlclark/regexp2/v2"
	"github.com/tiktoken-go/tokenizer"
)

// both are our vocabulary and the library's.
func both(t testing.TB, name string) (*encoding, tokenizer.Codec) {
	t.Helper()
	ours, err := load(name)
	if err != nil {
		t.Fatal(err)
	}
	theirs, err := tokenizer.Get(tokenizer.Encoding(name))
	if err != nil {
		t.Fatal(err)
	}
	return ours, theirs
}

// seeds are texts at the edges of the expressions.
var seeds = []string{
	"Hello, world! It's 12345 o'clock; they'LL say I'VE won'T 'Re 'tis 'ſ x'ſy",
	"  leading\n\n  spaces \t\r\n and\ttabs   \n", "trailing   ", " \n", "   \n x", "a\u00a0b\u2028c\u3000 d",
	"func main() {\n\tfmt.Println(\"x\") // note\n}\n", "https://example.com//a/b/?c=d#e\n/x", "...\n\n///\n",
	"CamelCaseHTTPServer iPhone McDonald ÀÉÎ straße ǅ ǆǅ", "日本語のテキスト。中文文本,没有空格", "한국어 문장입니다",
	"ʰA aʰA ʰAʰ AʰB e\u0301 \u0301 \u0301a A\u0301B \u0301\u0301 ा नमस्ते", "🙂👍🏽 🇩🇪 zwj\u200dx", "١٢٣٤٥ ½²③ Ⅻ 9½8", "\x00\x01",
	strings.Repeat("a", 300), strings.Repeat("ab1 ", 50), "'", "''s", " 's", "I'm'd", "x\u0085y", "_a_b__c", "$100,000.00", "!a", " !a", "  !a",
}

func TestLikeTheLibrary(t *testing.T) {
	t.Parallel()
	for _, name := range []string{cl100kBase, o200kBase} {
		ours, theirs := both(t, name)
		for _, text := range append(seeds, strings.Join(seeds, ""), strings.Join(seeds, "\n"), strings.Join(seeds, " ")) {
			want, err := theirs.Count(text)
			if got := ours.count(text); err != nil || got != want {
				t.Errorf("%s: %q: %d tokens, want %d, %v", name, text, got, want, err)
			}
		}
	}
}

// expressions are tiktoken's, in a group so that the library's own engine for
// them, which cuts " \n \n" in two and passes DEL over, is not taken.
var expressions = map[string]*regexp2.Regexp{
	cl100kBase: regexp2.MustCompile(`(?:(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+)`, regexp2.None),
	o200kBase: regexp2.MustCompile(`(?:[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?`+
		`|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?`+
		`|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+)`, regexp2.None),
}

// TestSplitsLikeTheExpressions mixes characters of every class.
func TestSplitsLikeTheExpressions(t *testing.T) {
	t.Parallel()
	const rounds = 3000
	classes := [][]rune{
		[]rune("aeistdmrvl"), []rune("AEISTDMRVLK"), []rune("'"), []rune("'\u017f\u212a"), []rune("ǅʰªа中ा\u0301\u20dd"), []rune("éßñÀÉ"), []rune("0123½Ⅻ٣"),
		[]rune(" "), []rune(" \t\v\u00a0\u2028\u3000\u0085"), []rune("\n\r"), []rune("/"), []rune("!.,_-\u200d🙂\x00\x7f\U000e0041"),
	}
	for name, expression := range expressions {
		split := map[string]func(string) int{cl100kBase: splitCL100K, o200kBase: splitO200K}[name]
		random := rand.New(rand.NewPCG(1, 2))
		for range rounds {
			var text []rune
			for range 1 + random.IntN(12) {
				class := classes[random.IntN(len(classes))]
				for range 1 + random.IntN(4) {
					text = append(text, class[random.IntN(len(class))])
				}
			}
			match, err := expression.FindStringMatch(string(text))
			for rest := string(text); rest != ""; match, err = expression.FindNextMatch(match) {
				if err != nil || match == nil {
					t.Fatalf("%s: %q: nothing matches %q, %v", name, string(text), rest, err)
				}
				n := split(rest)
				if match.String() != rest[:n] {
					t.Fatalf("%s: %q: split %q, want %q", name, string(text), rest[:n], match.String())
				}
				rest = rest[n:]
			}
		}
	}
}

func BenchmarkCount(b *testing.B) {
	for _, name := range []string{cl100kBase, o200kBase} {
		ours, theirs := both(b, name)
		text := strings.Repeat("The quick brown fox isn't jumping over 12 lazy dogs, is it? func(x int) { return x+1 }\n", 40)
		b.Run(name+"/ours", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				ours.count(text)
			}
		})
		b.Run(name+"/library", func(b *testing.B) {
			b.ReportAllocs()
			b.SetBytes(int64(len(text)))
			for b.Loop() {
				_, _ = theirs.Count(text)
			}
		})
		b.Run(name+"/load", func(b *testing.B) {
			for b.Loop() {
				if _, err := load(name); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func FuzzCount(f *testing.F) {
	e, err := load(cl100kBase)
	if err != nil {
		f.Fatal(err)
	}
	o, err := load(o200kBase)
	if err != nil {
		f.Fatal(err)
	}
	for _, text := range seeds {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		for _, n := range []int{e.count(text), o.count(text)} {
			if n > len(text) || n == 0 && text != "" {
				t.Errorf("%q: %d tokens", text, n)
			}
		}
	})
}
