package window_test

import (
	"errors"
	"iter"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/services/session/internal/window"
)

// script makes a conversation of words: "u" is a user's message, "a" an
// assistant's, "a:x,y" one that calls x and y, "t:x" a tool message with the
// result of x; "a:" and "t:" have empty ids. Each costs one token.
func script(text string) (list []window.Entry) {
	for _, word := range strings.Fields(text) {
		kind, rest, has := strings.Cut(word, ":")
		m := &conversationv1.Message{Id: word}
		switch kind {
		case "u":
			m.Role = conversationv1.Role_ROLE_USER
		case "a":
			m.Role = conversationv1.Role_ROLE_ASSISTANT
		case "t":
			m.Role = conversationv1.Role_ROLE_TOOL
		}
		for _, id := range strings.Split(rest, ",") {
			switch {
			case has && kind == "a":
				m.Parts = append(m.Parts, &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_ToolCall{ToolCall: &conversationv1.ToolCall{Id: id}}})
			case kind == "t":
				m.Parts = append(m.Parts, &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_ToolResult{ToolResult: &conversationv1.ToolResult{ToolCallId: id}}})
			}
		}
		list = append(list, window.Entry{Message: m, Tokens: 1})
	}
	return list
}

// newest reads entries newest first and counts how many were read.
func newest(list []window.Entry, read *int) iter.Seq2[window.Entry, error] {
	return func(yield func(window.Entry, error) bool) {
		for _, entry := range slices.Backward(list) {
			*read++
			if !yield(entry, nil) {
				return
			}
		}
	}
}

func choose(t *testing.T, text string, budget int64) (string, int) {
	t.Helper()
	read := 0
	chosen, err := window.Newest(window.NewBudget(budget), newest(script(text), &read))
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, entry := range chosen {
		got = append(got, entry.Message.GetId())
	}
	return strings.Join(got, " "), read
}

func TestNewest(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		text   string
		budget int64
		want   string
	}{
		{"u a u", 0, "u a u"},
		{"u a u", 2, "a u"},
		{"u a:x t:x a u", 0, "u a:x t:x a u"},
		{"u a:x t:x a u", 4, "a:x t:x a u"},
		{"u a:x t:x a u", 3, "a u"},                 // the call would not fit: no result without it
		{"u a:x,y t:x t:y a", 4, "a:x,y t:x t:y a"}, // results in messages of their own
		{"u a:x,y t:x,y a", 3, "a:x,y t:x,y a"},
		{"u a:x,y t:y t:x a", 0, "u a:x,y t:y t:x a"}, // in any order
		{"u a:x,y t:x a", 0, "u a"},                   // a call without its result, and gone past
		{"u a:x u", 0, "u u"},                         // likewise
		{"u a:x,y t:x", 0, "u a:x,y t:x"},             // still to come
		{"u a:x", 0, "u a:x"},
		{"t:x u a", 0, "u a"}, // no call at all
		{"u t:x a", 0, "u a"},
		{"a:x u t:x a", 0, "u a"},             // a result out of place, and its call
		{"u a:x t:x t:z a", 0, "u a:x t:x a"}, // a stray result among good ones
		{"a:x t:x a:x t:x u", 3, "a:x t:x u"}, // ids are unique within an answer only
		{"u a:, t: t: u", 0, "u a:, t: t: u"}, // a wire without ids: by order
		{"u a:, t: u", 0, "u u"},
		{"u a:x t: u", 0, "u a:x t: u"},
		{"", 5, ""},
		{"t:x", 0, ""},
	} {
		if got, _ := choose(t, c.text, c.budget); got != c.want {
			t.Errorf("%q with %d: got %q, want %q", c.text, c.budget, got, c.want)
		}
	}
}

func TestNewestReadsNoFurtherThanItMust(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("u a ", 5000)
	if _, read := choose(t, long, 10); read != 11 {
		t.Errorf("read %d messages for a budget of 10", read)
	}
	if _, read := choose(t, strings.Repeat("t:x ", 5000), 10); read != 11 {
		t.Errorf("read %d results for a budget of 10", read)
	}
}

func TestSourceFails(t *testing.T) {
	t.Parallel()
	broken := errors.New("broken")
	source := func(yield func(window.Entry, error) bool) { yield(window.Entry{}, broken) }
	if _, err := window.Newest(window.NewBudget(0), source); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if _, err := window.Oldest(window.NewBudget(0), source); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

// TestAlwaysAcceptable tries random conversations: whatever the budget, what is
// chosen fits it, keeps the order, and pairs calls with results.
func TestAlwaysAcceptable(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	alphabet := []string{"u", "a", "a:x", "a:y", "a:x,y", "t:x", "t:y", "t:x,y", "a:", "t:"}
	for range 20_000 {
		var picked []string
		for range random.IntN(12) {
			picked = append(picked, alphabet[random.IntN(len(alphabet))])
		}
		text, budget := strings.Join(picked, " "), random.Int64N(13)
		got, _ := choose(t, text, budget)
		chosen := strings.Fields(got)
		if budget > 0 && int64(len(chosen)) > budget {
			t.Fatalf("%q with %d: %q is over the budget", text, budget, got)
		}
		rest := picked
		for _, word := range chosen {
			at := slices.Index(rest, word)
			if at < 0 {
				t.Fatalf("%q: %q is out of order", text, got)
			}
			rest = rest[at+1:]
		}
		if problem := pairing(chosen); problem != "" {
			t.Fatalf("%q with %d: %q: %s", text, budget, got, problem)
		}
	}
}

// pairing checks a conversation as a provider does.
func pairing(words []string) string {
	open, unnamed := map[string]int{}, 0
	inGroup := false
	var known map[string]bool
	close := func() bool {
		missing := 0
		for _, n := range open {
			missing += n
		}
		return missing <= unnamed
	}
	for _, word := range words {
		kind, rest, has := strings.Cut(word, ":")
		if kind == "t" {
			if !inGroup {
				return "a result without a call"
			}
			for _, id := range strings.Split(rest, ",") {
				if id == "" {
					unnamed++
				} else if !known[id] {
					return "a result of no call"
				} else {
					open[id] = 0
				}
			}
			continue
		}
		if !close() {
			return "a call without a result"
		}
		open, known, unnamed, inGroup = map[string]int{}, map[string]bool{}, 0, kind == "a" && has
		if inGroup {
			for _, id := range strings.Split(rest, ",") {
				open[id]++
				known[id] = true
			}
		}
	}
	return ""
}
