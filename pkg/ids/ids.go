// Package ids makes the names of things: a prefix and 26 characters that sort
// by time, 48 bits of milliseconds and 80 random bits.
package ids

import (
	"crypto/rand"
	"encoding/binary"
	"time"
)

// alphabet is Crockford's base 32 in lower case: digits and letters in ASCII
// order, so that text order is number order.
const alphabet = "0123456789abcdefghjkmnpqrstvwxyz"

// New returns a new id, prefix + "_" + 26 characters.
func New(prefix string) string { return At(prefix, time.Now()) }

// At returns a new id that sorts as if it were made at t.
func At(prefix string, t time.Time) string {
	var raw [16]byte
	binary.BigEndian.PutUint64(raw[:8], uint64(t.UnixMilli())<<16)
	rand.Read(raw[6:]) // never fails, by its contract
	return write(prefix, raw)
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
	high, low := binary.BigEndian.Uint64(raw[:8]), binary.BigEndian.Uint64(raw[8:])
	for shift := 125; shift >= 0; shift -= 5 {
		out = append(out, alphabet[bits(high, low, shift)])
	}
	return string(out)
}

// bits returns the five bits at shift of the 128-bit number high:low.
func bits(high, low uint64, shift int) byte {
	switch {
	case shift >= 64:
		return byte(high>>(shift-64)) & 31
	case shift > 59:
		return byte(high<<(64-shift)|low>>shift) & 31
	default:
		return byte(low>>shift) & 31
	}
}
