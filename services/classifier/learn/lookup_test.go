package learn

import (
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

// TestFindHasEachKey: every key of a model is found at its place, whatever the length of
// its bucket, and no other key is.
func TestFindHasEachKey(t *testing.T) {
	t.Parallel()
	rng := rand.New(rand.NewPCG(1, 1))
	for _, n := range []int{1, 3, 40, 5000} {
		keys := make([]uint32, n)
		for i := range keys {
			keys[i] = rng.Uint32()
			if i%3 == 0 { // some stand together
				keys[i] = keys[max(i-1, 0)]&^0xff | rng.Uint32()&0xff
			}
		}
		m := &Model{shift: 32 - 4}
		m.index, m.rest = lay(keys, m.shift)
		m.sieve = newSieve(m)
		at := map[uint32]int{}
		m.eachKey(func(key uint32) { at[key] = len(at) })
		for i := range 20_000 {
			key := rng.Uint32()
			if i < n {
				key = keys[i]
			}
			want, there := at[key>>12<<12] // what a file of sixteen buckets keeps of it
			if !there {
				want = -1
			}
			if got := m.find(key); got != want {
				t.Fatalf("%d keys: %#x is at %d, want %d", n, key, got, want)
			}
			if there && m.sieve.has(key) == 0 {
				t.Fatalf("%d keys: the sieve holds %#x back", n, key)
			}
		}
	}
}

// lay puts keys into an index of buckets.
func lay(keys []uint32, shift uint) (index, rest []byte) {
	var kept []uint32
	for _, key := range keys {
		kept = append(kept, key>>(shift-16))
	}
	slices.Sort(kept)
	kept = slices.Compact(kept)
	put32 := func(v int) { index = append(index, byte(v), byte(v>>8), byte(v>>16), byte(v>>24)) }
	at := 0
	for bucket := range 1 << (32 - shift) {
		put32(at)
		for at < len(kept) && int(kept[at]>>16) == bucket {
			rest = append(rest, byte(kept[at]), byte(kept[at]>>8))
			at++
		}
	}
	put32(at)
	return index, rest
}

// TestWindowsWords: what a windowed head takes for words.
func TestWindowsWords(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"Don't  stop, you're in":           "Don't|stop|you're|in",
		"'quoted' ''x":                     "quoted'|x",
		"snake_case-2 a1b2":                "snake|case|2|a1b2",
		"ig\u200bnore \u200b\u200b, x":     "ig\u200bnore|x",
		"naïve Übung it’s":                 "naïve|Übung|it’s",
		"世界 x世 界":                          "世|界|x|世|界",
		strings.Repeat("a", maxWord+3):     strings.Repeat("a", maxWord) + "|aaa",
		"\xff\xfeab\xc3":                   "ab",
		"":                                 "",
		"... --- \n\t":                     "",
		strings.Repeat("é", maxWord) + "'": strings.Repeat("é", maxWord),
	} {
		var w windows
		w.read(&Document{Text: text})
		var words []string
		for _, token := range w.tokens {
			words = append(words, text[token.start-1:token.end-1])
		}
		if got := strings.Join(words, "|"); got != want {
			t.Errorf("%q: %q, want %q", text, got, want)
		}
	}
	hash := func(text string) uint64 {
		var w windows
		w.read(&Document{Text: text})
		return w.tokens[0].hash
	}
	for a, b := range map[string]string{"IGNORE": "ignore", "don't": "dont", "ig\u200bnore": "ignore", "іgnоrе": "ignore"} {
		if hash(a) != hash(b) {
			t.Errorf("%q and %q are two words", a, b)
		}
	}
}
