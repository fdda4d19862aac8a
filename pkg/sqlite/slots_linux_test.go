//go:build amd64 || arm64

package sqlite

import (
	"bytes"
	"context"
	"testing"
	"unsafe"

	"modernc.org/libc"
)

// TestSlots takes more slots than there are, and gives them back in another order.
func TestSlots(t *testing.T) {
	t.Parallel()
	memory := make([]byte, 1000)
	s := &slots{room: memory, begin: uintptr(unsafe.Pointer(&memory[0])), size: 96}
	for range 3 {
		var taken []uintptr
		for slot := s.take(); slot != 0; slot = s.take() {
			taken = append(taken, slot)
		}
		if len(taken) != 10 || s.inUse != 10 {
			t.Fatalf("%d slots taken, %d in use; 10 fit", len(taken), s.inUse)
		}
		seen := map[uintptr]bool{}
		for _, slot := range taken {
			if seen[slot] || !s.has(slot) || !s.has(slot+s.size-1) || (slot-s.begin)%s.size != 0 {
				t.Fatalf("slot at %d of %v", slot-s.begin, taken)
			}
			seen[slot] = true
		}
		for i := range taken {
			s.give(taken[(i*7)%len(taken)])
		}
		if s.inUse != 0 {
			t.Fatalf("%d in use after all came back", s.inUse)
		}
	}
	if s.has(s.begin-1) || s.has(s.begin+uintptr(len(memory))) || s.has(0) {
		t.Error("memory of others taken for a slot")
	}
}

// TestPagesLieInSlots reads back what SQLite's caches had, and finds them in slots.
func TestPagesLieInSlots(t *testing.T) {
	t.Parallel()
	db := open(t, Config{})
	body := bytes.Repeat([]byte("page"), 900)
	const rows = 200
	if err := db.Write(t.Context(), func(ctx context.Context, tx *Tx) error {
		for i := range rows {
			if _, err := tx.Exec(ctx, "insert into rows (id, name, body) values (?, ?, ?)", i, string(rune('a'+i)), body); err != nil {
				return err
			}
		}
		return nil
	}); err != nil {
		t.Fatal(err)
	}
	pageSlots.mu.Lock()
	inUse, used := pageSlots.inUse, pageSlots.used
	pageSlots.mu.Unlock()
	if inUse < rows || used < rows*pageSlots.size {
		t.Errorf("%d slots in use, %d bytes of them; %d pages were written", inUse, used, rows)
	}
	var same int
	if err := db.QueryRow(t.Context(), "select count(*) from rows where body = ?", body).Scan(&same); err != nil || same != rows {
		t.Errorf("%d rows read of %d: %v", same, rows, err)
	}
}

// TestSlotGrows moves what lies in a slot to where more fits.
func TestSlotGrows(t *testing.T) {
	t.Parallel()
	open(t, Config{}) // SQLite has its slots from here on
	tls := libc.NewTLS()
	defer tls.Close()
	size := int32(pageSlots.size)
	p := slotMalloc(tls, size)
	if !pageSlots.has(p) || slotSize(tls, p) != size {
		t.Fatal("no slot")
	}
	memory(p, int(size))[0], memory(p, int(size))[size-1] = 1, 2
	if same := slotRealloc(tls, p, size-100); same != p {
		t.Error("a slot moved without need")
	}
	larger := slotRealloc(tls, p, 3*size)
	if pageSlots.has(larger) || slotSize(tls, larger) < 3*size {
		t.Fatal("no larger memory")
	}
	if got := memory(larger, int(size)); got[0] != 1 || got[size-1] != 2 {
		t.Error("what the slot had is lost")
	}
	larger = slotRealloc(tls, larger, 4*size)
	if memory(larger, int(size))[size-1] != 2 {
		t.Error("what the larger memory had is lost")
	}
	slotFree(tls, larger)
}
