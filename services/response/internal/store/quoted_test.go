package store

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"
	"unicode/utf8"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"google.golang.org/protobuf/proto"
)

// answer is a response with a choice per text.
func answer(texts ...string) *responsev1.Response {
	r := &responsev1.Response{Id: "resp_1"}
	for i, text := range texts {
		r.Choices = append(r.Choices, &responsev1.Choice{Index: int32(i), Message: &conversationv1.Message{
			Id: "msg_1", Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: text}}},
		}})
	}
	return r
}

func marshalled(t testing.TB, r *responsev1.Response) []byte {
	t.Helper()
	messages, err := proto.Marshal(&responsev1.Response{Choices: r.GetChoices()})
	if err != nil {
		t.Fatal(err)
	}
	return messages
}

func TestQuote(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("All work and no play. ", 20)
	lines := "First line\nsecond \"line\"\t\\ and <tags> & more, naïve 日本 \U0001F600 /path" + long
	quote := func(text string, html bool) string {
		var b bytes.Buffer
		e := json.NewEncoder(&b)
		e.SetEscapeHTML(html)
		if err := e.Encode(text); err != nil {
			t.Fatal(err)
		}
		return strings.TrimSuffix(b.String(), "\n")
	}
	for name, test := range map[string]struct {
		texts  []string
		log    string
		shrink bool
	}{
		"as it is":          {[]string{long}, `{"content":` + quote(long, false) + `}`, true},
		"escapes":           {[]string{lines}, `{"content":` + quote(lines, false) + `}`, true},
		"escaped tags":      {[]string{lines}, `{"content":` + quote(lines, true) + `}`, true},
		"ASCII":             {[]string{"some emoji \U0001F600 é" + long}, `{"content":"some emoji \ud83d\ude00 \u00e9` + long + `"}`, true},
		"lone surrogate":    {[]string{"lonely text \uFFFD" + long}, `{"content":"lonely text \ud83d` + long + `"}`, true},
		"several":           {[]string{long, lines, long}, `[` + quote(long, false) + `,` + quote(lines, false) + `,"x"]`, true},
		"second place":      {[]string{long + "b"}, `["` + long + `a","` + long + `b"]`, true},
		"cut short":         {[]string{long + "b"}, `["` + long, false},
		"somewhere else":    {[]string{long}, `{"content":"something else"}`, false},
		"begins escaped":    {[]string{"\n" + long}, `{"content":` + quote("\n"+long, false) + `}`, false},
		"short":             {[]string{"All work"}, `{"content":"All work"}`, false},
		"no log":            {[]string{long}, "", false},
		"no text":           {nil, `{"content":"` + long + `"}`, false},
		"one of them there": {[]string{"x" + long, long}, `{"content":` + quote(long, false) + `}`, true},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := answer(test.texts...)
			messages := marshalled(t, r)
			stored := Quote(r, messages, []byte(test.log))
			if shrunk := len(stored) < len(messages); shrunk != test.shrink || IsQuoted(stored) != test.shrink {
				t.Errorf("%d bytes became %d, quoted %v", len(messages), len(stored), IsQuoted(stored))
			}
			back, err := Unquote(stored, []byte(test.log))
			if err != nil {
				t.Fatal(err)
			}
			if !bytes.Equal(back, messages) {
				t.Errorf("got  %q\nwant %q", back, messages)
			}
		})
	}
}

// TestQuoteStored: texts that stand one behind the other in a stored log are quoted, as part
// of the answer's text.
func TestQuoteStored(t *testing.T) {
	t.Parallel()
	long := strings.Repeat("All work and no play. ", 20)
	for name, test := range map[string]struct {
		texts  []string
		stored string // between signs of this kind: §
		shrink bool
	}{
		"whole":           {[]string{long}, "x§" + long + "§y", true},
		"part":            {[]string{"before " + long + " behind"}, "x§" + long + "§", true},
		"escapes":         {[]string{"a" + long + "\n\"\U0001F600é"}, "x§" + long + `\n\"\ud83d\ude00\u00e9` + "§y", true},
		"second place":    {[]string{"All work and " + long}, "x§" + long + "§y", true},
		"second text":     {[]string{"x", long}, "§" + long + "§y", true},
		"something else":  {[]string{long}, "x§" + long + "more§y", false},
		"escape cut":      {[]string{long}, "x§" + long + `\u12§y`, false},
		"short":           {[]string{"All work"}, "x§All work§", false},
		"begins escaped":  {[]string{"\n" + long}, `x§\n` + long + "§", false},
		"nothing":         {[]string{long}, "x§§" + long, false},
		"no text":         {nil, "§" + long + "§", false},
		"longer than all": {[]string{long[:100]}, "§" + long + "§", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := answer(test.texts...)
			lead, rest, _ := strings.Cut(test.stored, "§")
			texts, end, _ := strings.Cut(rest, "§")
			stored := Runs(nil)
			stored = append(stored, lead...)
			f := Final{Response: r, Texts: len(stored), TextsEnd: len(stored) + len(texts)}
			f.Stored = append(append(stored, texts...), end...)
			comesBack(t, &f, test.shrink)
		})
	}
}

// TestQuoteVerbatim: texts of typed events are quoted as they are, of runs and of logs that are
// one chunk.
func TestQuoteVerbatim(t *testing.T) {
	t.Parallel()
	long := "\n" + strings.Repeat(`All work \n and "no play". `, 20)
	for name, test := range map[string]struct {
		texts  []string
		stored string // between signs of this kind: §
		shrink bool
	}{
		"whole":           {[]string{long}, "x§" + long + "§y", true},
		"part":            {[]string{"before " + long + " behind"}, "x§" + long + "§", true},
		"second text":     {[]string{"x", long}, "§" + long + "§y", true},
		"second place":    {[]string{long[:40] + long}, "x§" + long + "§y", true},
		"one chunk":       {[]string{long}, "x" + long + "y", true},
		"several":         {[]string{long + "a", "x", long + "b"}, "x" + long + "b" + long + "ay", true},
		"something else":  {[]string{long}, "x§" + long + "more§y", false},
		"another chunk":   {[]string{long}, "x" + long[1:] + "y", false},
		"short":           {[]string{"All work"}, "x§All work§", false},
		"nothing":         {[]string{long}, "x§§", false},
		"no text":         {nil, "§" + long + "§", false},
		"longer than all": {[]string{long[:100]}, "§" + long + "§", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := answer(test.texts...)
			f := Final{Response: r, Stored: PlainLog(nil, len(test.stored))}
			lead, rest, runs := strings.Cut(test.stored, "§")
			if runs {
				f.Stored, f.Verbatim = Runs(nil), true
			}
			texts, end, _ := strings.Cut(rest, "§")
			f.Stored = append(f.Stored, lead...)
			f.Texts, f.TextsEnd = len(f.Stored), len(f.Stored)+len(texts)
			f.Stored = append(append(f.Stored, texts...), end...)
			comesBack(t, &f, test.shrink)
		})
	}
}

// comesBack stores messages and reads them again, and holds whether they are quoted.
func comesBack(t *testing.T, f *Final, quoted bool) {
	t.Helper()
	c, log, err := f.ToQuoted()
	if err != nil {
		t.Fatal(err)
	}
	messages := marshalled(t, f.Response)
	if shrunk := len(c.Messages) < len(messages); shrunk != quoted || IsQuoted(c.Messages) != quoted {
		t.Errorf("%d bytes became %d, quoted %v", len(messages), len(c.Messages), IsQuoted(c.Messages))
	}
	back, err := UnquoteStored(c.Messages, log)
	if err != nil || !bytes.Equal(back, messages) {
		t.Errorf("got %q, %v\nwant %q", back, err, messages)
	}
}

// FuzzQuote: whatever text and log are, the messages come back.
func FuzzQuote(f *testing.F) {
	long := strings.Repeat("word ", 20)
	f.Add(long, `"`+long+`"`)
	f.Add(long+"\n", `"`+long+`\n"`)
	f.Add(long+"é", `"`+long+`\u00e9`)
	f.Add(long+`\`, `"`+long+`\\`)
	f.Fuzz(func(t *testing.T, text, log string) {
		if !utf8.ValidString(text) {
			return
		}
		r := answer(text, text)
		messages := marshalled(t, r)
		back, err := Unquote(Quote(r, messages, []byte(log)), []byte(log))
		if err != nil || !bytes.Equal(back, messages) {
			t.Errorf("%v: got %q, want %q", err, back, messages)
		}
		runs := append(Runs(nil), log...)
		for _, final := range []Final{
			{Stored: append(PlainLog(nil, len(log)), log...)}, {Stored: runs, TextsEnd: len(runs), Verbatim: true}, {Stored: runs, Texts: len(runs) / 2, TextsEnd: len(runs)},
		} {
			final.Response = r
			c, stored, err := final.ToQuoted()
			if err != nil {
				t.Fatal(err)
			}
			if back, err := UnquoteStored(c.Messages, stored); err != nil || !bytes.Equal(back, messages) {
				t.Errorf("%v: got %q, want %q", err, back, messages)
			}
		}
	})
}

// FuzzUnquote: stored bytes of any kind make an error or messages, no panic.
func FuzzUnquote(f *testing.F) {
	f.Add([]byte("\x00\x01a\x00\x02\x00"), []byte("xy"))
	f.Add([]byte("\x00\x01a\x00\x02\x00"), []byte(`\q`))
	f.Add([]byte("\x02\x01a\x00\x02\x00"), []byte(`\q`))
	f.Fuzz(func(t *testing.T, stored, frames []byte) {
		if back, err := Unquote(stored, frames); err == nil && !IsQuoted(stored) && !bytes.Equal(back, stored) {
			t.Errorf("got %q of %q", back, stored)
		}
	})
}

func BenchmarkQuote(b *testing.B) {
	text := strings.Repeat("Some words of an answer.\nAnd a line. ", 40)
	r := answer(text)
	messages := marshalled(b, r)
	log, err := json.Marshal(map[string]string{"content": text})
	if err != nil {
		b.Fatal(err)
	}
	b.ReportAllocs()
	for b.Loop() {
		if !IsQuoted(Quote(r, messages, log)) {
			b.Fatal("not quoted")
		}
	}
}
