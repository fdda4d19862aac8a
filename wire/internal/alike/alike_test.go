package alike

import (
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

func TestDecode(t *testing.T) {
	t.Parallel()
	var e Event
	var texts Texts
	body := []byte(`{"n":1,"text":"first"}`)
	e.Learn("data: ", body, 15, 20)
	event := func(text string) string { return `data: {"n":1,"text":"` + text + "\"}\n\n" }
	data := event("a") + event("") + event("é") + event(`\n`) + event("b")
	var dst []*conversationv1.Event
	dst, rest, count := texts.Decode(dst, &e, 3, []byte(data))
	if len(dst) != 2 || count != 3 || string(rest) != event(`\n`)+event("b") {
		t.Fatalf("%d events of %d, then %q", len(dst), count, rest)
	}
	for i, want := range []string{"a", "é"} {
		if got := dst[i].GetText(); got.GetText() != want || got.GetChoice() != 3 {
			t.Errorf("%v", got)
		}
	}
	for name, other := range map[string]string{
		"lead": `data:  {"n":1,"text":"a"}` + "\n\n", "before": `data: {"n":2,"text":"a"}` + "\n\n", "after": `data: {"n":1,"text":"a","m":2}` + "\n\n",
		"cut": event("a")[:10], "ending": event("a")[:len(event("a"))-1], "not UTF-8": event("\xff"),
	} {
		if dst, rest, count := texts.Decode(nil, &e, 0, []byte(other)); len(dst) != 0 || count != 0 || string(rest) != other {
			t.Errorf("%s: %v, %q", name, dst, rest)
		}
	}
	if !e.Is([]byte(`data: {"n":1,"text":"`), []byte("\"}\n\n")) || e.Is([]byte(`{"n":1,"text":"`), []byte("\"}\n\n")) {
		t.Error("Is")
	}
	if e.Forget(); e.Known || e.HasPrefix(body) {
		t.Error("not forgotten")
	}
}
