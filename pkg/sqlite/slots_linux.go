//go:build amd64 || arm64

package sqlite

import (
	"sync"
	"syscall"
	"unsafe"

	"modernc.org/libc"
	"modernc.org/libc/sys/types"
	lib "modernc.org/sqlite/lib"
)

// slots is where SQLite's caches have their pages. A page and what SQLite knows of it
// are 4.4 KB, which the allocator below rounds up to 8 KB and touches all of.
//
// The memory is asked for once and never given back; it counts where it has been
// used, which is as much as all caches have had at the same time.
type slots struct {
	below lib.Tsqlite3_mem_methods // the allocator of all else
	room  []byte
	begin uintptr // of room
	size  uintptr // of a slot

	mu    sync.Mutex
	used  uintptr // bytes of room that were used once
	free  uintptr // the slot that was freed last, which begins with the one before; 0 for none
	inUse int
}

const (
	pageBytes = 4096     // SQLite's own size of a page
	slotsRoom = 64 << 20 // beyond which pages lie where all else does
)

// pageSlots are those of the process: SQLite has one allocator.
var pageSlots slots

// useSlots gives SQLite's caches their slots. It comes before all that SQLite does:
// where SQLite is in use already, or there is no such memory, nothing is changed.
func useSlots(tls *libc.TLS) {
	s := &pageSlots
	if s.room != nil {
		return
	}
	place := libc.Xmalloc(tls, types.Size_t(unsafe.Sizeof(s.below)+2*unsafe.Sizeof(uintptr(0))))
	if place == 0 {
		return
	}
	defer libc.Xfree(tls, place)
	arguments := place + unsafe.Sizeof(s.below)
	*at[int32](place) = 0
	if lib.Xsqlite3_config(tls, lib.SQLITE_CONFIG_PCACHE_HDRSZ, libc.VaList(arguments, place)) != lib.SQLITE_OK {
		return
	}
	size := uintptr(pageBytes+*at[int32](place)+63) &^ 63 // a cache line
	if lib.Xsqlite3_config(tls, lib.SQLITE_CONFIG_GETMALLOC, libc.VaList(arguments, place)) != lib.SQLITE_OK {
		return
	}
	room, err := syscall.Mmap(-1, 0, slotsRoom, syscall.PROT_READ|syscall.PROT_WRITE, syscall.MAP_PRIVATE|syscall.MAP_ANON|syscall.MAP_NORESERVE)
	if err != nil {
		return
	}
	methods := at[lib.Tsqlite3_mem_methods](place)
	s.below, s.room, s.begin, s.size = *methods, room, uintptr(unsafe.Pointer(&room[0])), size
	methods.FxMalloc, methods.FxFree, methods.FxRealloc, methods.FxSize = pointer(slotMalloc), pointer(slotFree), pointer(slotRealloc), pointer(slotSize)
	if lib.Xsqlite3_config(tls, lib.SQLITE_CONFIG_MALLOC, libc.VaList(arguments, place)) != lib.SQLITE_OK {
		s.room = nil
		_ = syscall.Munmap(room)
	}
}

// take returns a slot, 0 where there is none left.
func (s *slots) take() uintptr {
	s.mu.Lock()
	defer s.mu.Unlock()
	at := s.free
	switch {
	case at != 0:
		s.free = *(*uintptr)(unsafe.Pointer(&s.room[at-s.begin]))
	case s.used+s.size <= uintptr(len(s.room)):
		at = s.begin + s.used
		s.used += s.size
	default:
		return 0
	}
	s.inUse++
	return at
}

// give takes a slot back.
func (s *slots) give(slot uintptr) {
	s.mu.Lock()
	defer s.mu.Unlock()
	*(*uintptr)(unsafe.Pointer(&s.room[slot-s.begin])) = s.free
	s.free = slot
	s.inUse--
}

func (s *slots) has(p uintptr) bool { return p-s.begin < uintptr(len(s.room)) }

// fits says whether memory of this size belongs in a slot.
func (s *slots) fits(n int32) bool { return n > pageBytes && uintptr(n) <= s.size }

// What SQLite calls.

func slotMalloc(tls *libc.TLS, n int32) uintptr {
	s := &pageSlots
	if s.fits(n) {
		if slot := s.take(); slot != 0 {
			return slot
		}
	}
	return call[func(*libc.TLS, int32) uintptr](s.below.FxMalloc)(tls, n)
}

func slotFree(tls *libc.TLS, p uintptr) {
	s := &pageSlots
	if s.has(p) {
		s.give(p)
		return
	}
	call[func(*libc.TLS, uintptr)](s.below.FxFree)(tls, p)
}

func slotSize(tls *libc.TLS, p uintptr) int32 {
	s := &pageSlots
	if s.has(p) {
		return int32(s.size)
	}
	return call[func(*libc.TLS, uintptr) int32](s.below.FxSize)(tls, p)
}

func slotRealloc(tls *libc.TLS, p uintptr, n int32) uintptr {
	s := &pageSlots
	if !s.has(p) {
		return call[func(*libc.TLS, uintptr, int32) uintptr](s.below.FxRealloc)(tls, p, n)
	}
	if uintptr(n) <= s.size {
		return p
	}
	moved := call[func(*libc.TLS, int32) uintptr](s.below.FxMalloc)(tls, n)
	if moved != 0 {
		copy(memory(moved, int(s.size)), memory(p, int(s.size)))
		s.give(p)
	}
	return moved
}
