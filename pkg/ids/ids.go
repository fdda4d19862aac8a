// Package ids makes the names of things: a prefix and 26 characters that sort
// by time, 48 bits of milliseconds and 80 random bits.
package ids

import (
	"crypto/rand"
	"encoding/binary"
	"sync"
	"time"
)

// alphabet is Crockford's base 32 in lower case: digits and letters in ASCII
// order, so that text order is number order.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// New returns a new id, prefix + "_" + 26 characters.
func New(prefix string) string { return At(prefix, time.Now()) }

// At returns a new id that sorts as if it were made at t.
func At(prefix string, t time.Time) string { return Of(prefix, t, NewRandom()) }

// Random are the random bits of an id.
type Random [10]byte

// NewRandom returns those of a new id.
func NewRandom() (r Random) {
	e := stores.Get().(*entropy)
	e.take(r[:])
	stores.Put(e)
	return r
}

// Of returns the id that was made at t with these random bits: always the same.
func Of(prefix string, t time.Time, random Random) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(t.UnixMilli())<<16)
	copy(raw[6:], random[:])
	return write(prefix, raw)
}

// entropy is random bytes that no id has yet. A call of crypto/rand costs more
// than all else of an id, however few bytes it asks for.
type entropy struct {
	bytes [640]byte
	left  int
}

var stores = sync.Pool{New: func() any { return new(entropy) }}

func (e *entropy) take(dst []byte) {
	if e.left < len(dst) {
		rand.Read(e.bytes[:]) // never fails, by its contract
		e.left = len(e.bytes)
	}
	from := e.bytes[e.left-len(dst) : e.left]
	copy(dst, from)
	clear(from) // an id that was given away stands nowhere else
	e.left -= len(dst)
}

// Lowest returns what no id of prefix made at t or later sorts before.
func Lowest(prefix string, t time.Time) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(t.UnixMilli())<<16)
	return write(prefix, raw)
}

func write(prefix string, raw [16]byte) string {
	var room [48]byte
	out := append(room[:0], prefix...)
	out = append(out, '_')
	out = append(out, "00000000000000000000000000"...)
	high, low := binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:])
	for digits := out[len(out)-26:]; len(digits) > 0; digits = digits[:len(digits)-1] {
		digits[len(digits)-1] = alphabet[low&31]
		high, low = high>>5, high<<59|low>>5
	}
	return string(out)
}
