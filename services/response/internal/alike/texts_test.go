package alike

import (
	"bytes"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"testing"
)

func grow(b []byte, n int) []byte { return slices.Grow(b, n) }

// textChunk is chunk n of chunks, counted from 0.
func textChunk(n int) Chunk {
	return Chunk{Sequence: uint64(n + 1), Wire: 1, Form: 1, Count: 1, Data: fmt.Appendf(nil,
		"data: {\"id\":\"chatcmpl-BQm2\",\"object\":\"chat.completion.chunk\",\"choices\":[{\"index\":0,\"delta\":{\"content\":\"%s\"},\"finish_reason\":null}]}\n\n",
		strings.Repeat("x", n*7%40))}
}

// textRunOf is a run of the chunks behind the first of n.
func textRunOf(t testing.TB, n int) []byte {
	t.Helper()
	var texts Texts
	texts.Learn(textChunk(0).Data, grow)
	if !texts.Learn(textChunk(1).Data, grow) {
		t.Fatal("no shape")
	}
	for i := 1; i < n; i++ {
		if !texts.Add(textChunk(i), grow) {
			t.Fatal("not of the shape")
		}
	}
	return texts.AppendTo(nil, func([]byte) {})
}

// Runs of texts are read as this release stores them.
func TestStoredTexts(t *testing.T) {
	t.Parallel()
	want := "0000e303830167646174613a207b226964223a2263686174636d706c2d42516d32222c226f626a656374223a22636861742e636f6d706c6574696f6e" +
		"2e6368756e6b222c2263686f69636573223a5b7b22696e646578223a302c2264656c7461223a7b22636f6e74656e74223a22227d2c2266696e697368" +
		"5f726561736f6e223a6e756c6c7d5d7d0a0a020101030e1c2a7878787878787878787878787878787878787878787878787878787878787878787878" +
		"78787878787878"
	if got := hex.EncodeToString(textRunOf(t, 4)); got != want {
		t.Errorf("stored as %s", got)
	}
	run, err := hex.DecodeString(want)
	if err != nil {
		t.Fatal(err)
	}
	frames := bytes.TrimPrefix(chunks(t, 4), chunks(t, 1))
	if got, err := Parse([]byte("lead"), run); err != nil || string(got) != "lead"+string(frames) {
		t.Errorf("%v: %q\nwant %q", err, got, frames)
	}
	if got, count, err := AppendFrom(nil, run, 1, 1); err != nil || count != 1 || !bytes.Contains(got, textChunk(2).Data) {
		t.Errorf("%d chunks, %v: %q", count, err, got)
	}
	for cut := range run {
		if got, err := Parse(nil, run[:cut]); err == nil && cut > 2 {
			t.Errorf("%d bytes of %d are read: %q", cut, len(run), got)
		}
	}
}

// What is not of the shape is not taken, and nothing of it.
func TestTextsOfAnotherShape(t *testing.T) {
	t.Parallel()
	var texts Texts
	if texts.Add(textChunk(0), grow) || texts.Learn(textChunk(0).Data, grow) || !texts.Learn(textChunk(1).Data, grow) || !texts.Add(textChunk(1), grow) {
		t.Fatal("the shape is known too early or not")
	}
	usual := textChunk(2)
	for name, change := range map[string]func(*Chunk){
		"sequence":  func(c *Chunk) { c.Sequence++ },
		"wire":      func(c *Chunk) { c.Wire++ },
		"form":      func(c *Chunk) { c.Form = 0 },
		"count":     func(c *Chunk) { c.Count++ },
		"no count":  func(c *Chunk) { c.Count = 0 },
		"many":      func(c *Chunk) { c.Count = 1 << 40 },
		"data":      func(c *Chunk) { c.Data = nil },
		"end":       func(c *Chunk) { c.Data = append(bytes.Clone(c.Data), 'x') },
		"two":       func(c *Chunk) { c.Data = slices.Concat(c.Data, c.Data) },
		"quote":     func(c *Chunk) { c.Data = bytes.Replace(c.Data, []byte("xx"), []byte(`"x`), 1) },
		"character": func(c *Chunk) { c.Data = bytes.Replace(c.Data, []byte(`"xx`), []byte("\"\xa9x"), 1) },
	} {
		c := usual
		if change(&c); texts.Add(c, grow) {
			t.Errorf("%s: taken", name)
		}
	}
	if !texts.Add(usual, grow) || texts.Len() != 2 {
		t.Fatal("the usual one is not taken")
	}
	frames, count := texts.AppendFrom(nil, 0, 1<<20)
	if want := bytes.TrimPrefix(chunks(t, 3), chunks(t, 1)); count != 2 || !bytes.Equal(frames, want) || texts.Size() != len(want) {
		t.Errorf("%q\nwant %q", frames, want)
	}
}

// The events that lead in what comes next are those of the shape.
func TestLeadOfTexts(t *testing.T) {
	t.Parallel()
	var texts Texts
	if size, count := texts.Lead(textChunk(1).Data); size != 0 || count != 0 {
		t.Errorf("%d bytes and %d events of a shape that nobody knows", size, count)
	}
	texts.Learn(textChunk(0).Data, grow)
	if !texts.Learn(textChunk(1).Data, grow) {
		t.Fatal("no shape")
	}
	two := slices.Concat(textChunk(3).Data, textChunk(4).Data)
	for _, rest := range []string{"", "data: [DONE]\n\n", string(textChunk(5).Data[:80]), strings.Replace(string(textChunk(5).Data), "null", `"stop"`, 1)} {
		if size, count := texts.Lead(append(slices.Clone(two), rest...)); size != len(two) || count != 2 {
			t.Errorf("before %q: %d bytes of %d, %d events", rest, size, len(two), count)
		}
		if size, count := texts.Lead([]byte(rest)); size != 0 || count != 0 {
			t.Errorf("%q: %d bytes, %d events", rest, size, count)
		}
	}
}

// Many texts lie in several pieces, and are read as if they lay in one.
func TestTextsInPieces(t *testing.T) {
	t.Parallel()
	const n = 400
	given := 0
	var texts Texts
	texts.Learn(textChunk(0).Data, grow)
	if !texts.Learn(textChunk(1).Data, grow) {
		t.Fatal("no shape")
	}
	var all []byte
	for i := 1; i < n; i++ {
		c := textChunk(i)
		if i%50 == 0 { // some come together, and one is longer than a piece
			c.Count, c.Data = 3, slices.Concat(c.Data, bytes.Replace(c.Data, []byte(`"content":"`), []byte(`"content":"`+strings.Repeat("y", 700)), 1), c.Data)
		}
		if !texts.Add(c, grow) {
			t.Fatal("not of the shape")
		}
		for part := range bytes.SplitSeq(c.Data, []byte("\n\n")) {
			if _, text, ok := bytes.Cut(part, []byte(`"content":"`)); ok {
				text, _, _ = bytes.Cut(text, []byte(`"`))
				all = append(all, text...)
			}
		}
	}
	room := []byte("room")
	if _, _, got := texts.Strings(&room); !bytes.Equal(got, all) {
		t.Errorf("%q\nwant %q", got, all)
	}
	var each [][]byte
	var frames []byte
	for i := range n - 1 {
		frame, count := texts.AppendFrom(nil, i, 1)
		if count != 1 {
			t.Fatalf("%d chunks from %d on", count, i)
		}
		each, frames = append(each, frame), append(frames, frame...)
	}
	for _, from := range []int{0, 1, 49, 50, 200, n - 2} {
		got, count := texts.AppendFrom([]byte("lead"), from, 1<<20)
		if want := slices.Concat(append([][]byte{[]byte("lead")}, each[from:]...)...); count != n-1-from || !bytes.Equal(got, want) {
			t.Errorf("from %d: %d chunks, %d bytes, want %d", from, count, len(got), len(want))
		}
	}
	run := texts.AppendTo(nil, func([]byte) { given++ })
	if got, err := Parse(nil, run); err != nil || !bytes.Equal(got, frames) {
		t.Errorf("%v: %d bytes, want %d", err, len(got), len(frames))
	}
	if given < 5 || texts.Len() != 0 || !texts.Add(textChunk(n), grow) {
		t.Errorf("%d pieces were given back", given)
	}
}

// What stands before events of the shape is told apart, but not without a first event.
func TestUnlike(t *testing.T) {
	t.Parallel()
	event := func(n int) string { return string(textChunk(n).Data) }
	const other, comment = "event: begin\ndata: {}\n\n", ": comment\n\n"
	two := event(1) + event(2)
	for _, c := range []struct {
		data, first string
		count       int
	}{
		{other + two, other, 1},
		{other + comment + other + two, other + comment + other, 2},
		{comment + two, comment, 0},
		{event(3) + two, event(3), 1},
		{two, event(1), 1},
		{other + event(3) + other + two, other, 1},
		{event(1) + event(1), "", 0}, // of which nothing is learnt
		{other, "", 0},
		{two + "rest", "", 0},
		{"", "", 0},
	} {
		var texts Texts
		size, count := 0, 0
		if texts.Learn([]byte(c.data), grow) {
			size, count = texts.Unlike([]byte(c.data))
		}
		if c.data[:size] != c.first || count != c.count {
			t.Errorf("%q: %d bytes, %d events; want %d, %d", c.data, size, count, len(c.first), c.count)
		}
	}
}
