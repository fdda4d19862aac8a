package main

import (
	"encoding/json"
	"testing"
	"unicode/utf8"
)

func TestProse(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for place := range 1000 {
		for _, n := range []int{0, 1, 7, 300, 1300} {
			text := prose(place*7919, n)
			var said string
			if err := json.Unmarshal([]byte(`"`+text+`"`), &said); err != nil || len(text) != n || !utf8.ValidString(text) {
				t.Fatalf("place %d, %d bytes: %q, %v", place, n, text, err)
			}
			if n == 1300 {
				seen[text] = true
			}
		}
	}
	if len(seen) < 500 {
		t.Errorf("%d texts of a thousand places", len(seen))
	}
	if text := prose(5, 1<<20); len(text) != 1<<20 || !json.Valid([]byte(`"`+text+`"`)) {
		t.Error("a long text is cut")
	}
}
