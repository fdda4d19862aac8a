package journal

import (
	"bytes"
	"os"
	"path/filepath"
	"testing"
)

func scanned(data []byte) []Record {
	records, _ := scan(data)
	return records
}

// TestDamageIsTold turns a bit of each byte of a record that has others before and
// behind it, and of the first one: what is left out is told, and kept.
func TestDamageIsTold(t *testing.T) {
	j := start(t, Config{Dir: t.TempDir(), Segment: 4 << 10})
	var numbers []uint64
	for _, body := range []string{"first", "second", "third"} {
		numbers = append(numbers, add(t, j, "store", 0, body))
	}
	folder := cut(t, j.cfg.Dir)
	for _, name := range slateNames { // they have what they had in memory
		_ = os.Remove(filepath.Join(folder, name))
	}
	path := segmentPath(folder, 1)
	whole, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	first := headSize + len("store") + len("first")
	second := first + headSize + len("store") + len("second")
	for at := range second {
		spoiled := bytes.Clone(whole)
		spoiled[at] ^= 1
		if err := os.WriteFile(path, spoiled, 0o600); err != nil {
			t.Fatal(err)
		}
		f, err := read(folder)
		if err != nil {
			t.Fatal(err)
		}
		begin, left := 0, numbers[1]
		if at >= first {
			begin, left = first, numbers[2]
		}
		if len(f.damaged) != 1 || f.damaged[0].At != begin || f.damaged[0].Left != left || f.damaged[0].Err != nil {
			t.Fatalf("byte %d: %+v", at, f.damaged)
		}
		if kept, err := os.ReadFile(f.damaged[0].Copy); err != nil || !bytes.Equal(kept, spoiled) {
			t.Fatalf("byte %d: the copy is not what was found: %v", at, err)
		}
	}
	// A torn end is none, nor what an earlier use has left behind.
	torn := bytes.Clone(whole)
	torn[second+headSize+len("store")] ^= 1
	torn = append(torn, whole[:second]...)
	if err := os.WriteFile(path, torn, 0o600); err != nil {
		t.Fatal(err)
	}
	if f, err := read(folder); err != nil || len(f.damaged) != 0 {
		t.Fatalf("%+v %v", f, err)
	}
}
