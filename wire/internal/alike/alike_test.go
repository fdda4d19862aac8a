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
	texts.Lend()
	lent, _, _ := texts.Decode(nil, &e, 3, []byte(event("one")+event("two")))
	lent, _, _ = texts.Decode(lent, &e, 3, []byte(event("three")))
	if len(lent) != 3 || lent[0].GetText().GetText() != "one" || lent[2].GetText().GetText() != "three" {
		t.Errorf("lent: %v", lent)
	}
	texts.Back()
	again, _, _ := texts.Decode(nil, &e, 2, []byte(event("four")))
	if len(again) != 1 || again[0].GetText().GetText() != "four" || again[0].GetText().GetChoice() != 2 {
		t.Errorf("lent again: %v", again)
	}
	if texts.Forget(); again[0].GetText().GetText() == "four" {
		t.Error("what was taken back is there still")
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
