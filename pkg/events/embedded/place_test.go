package embedded

import (
	"maps"
	"testing"
)

// Cursors come from clients: none breaks the reader, and what is read is what would
// be written.
func FuzzParseCursor(f *testing.F) {
	f.Add("")
	f.Add("!")
	f.Add(places{}.cursor())
	f.Add(places{"session": {7, 0}, "request": {1 << 40, 3}}.cursor())
	f.Add(places{"session": {7, 2}, "events": {0, 0}}.cursorOf("session"))
	f.Fuzz(func(t *testing.T, cursor string) {
		at, log, err := parseCursorOf(cursor)
		if err != nil {
			if at != nil || log != "" {
				t.Errorf("%q: %v and %q beside %v", cursor, at, log, err)
			}
			return
		}
		for name, p := range at {
			if name == "" || p.seq < 0 || p.index < 0 {
				t.Errorf("%q: %q at %v", cursor, name, p)
			}
		}
		again, _, err := parseCursorOf(at.cursorOf(log))
		if err != nil || !maps.Equal(again, at) {
			t.Errorf("%q is %v, which is written as %v (%v)", cursor, at, again, err)
		}
	})
}
