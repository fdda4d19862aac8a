package ids

import (
	"strings"
	"time"
)

// Time returns when an id of prefix says that it was made, to the millisecond.
// It is false for what At does not make.
func Time(prefix, id string) (time.Time, bool) {
	rest, ok := strings.CutPrefix(id, prefix)
	if !ok || len(rest) != 27 || rest[0] != '_' {
		return time.Time{}, false
	}
	var millis uint64
	for i := 1; i <= 26; i++ {
		digit := int(places[rest[i]]) - 1
		if digit < 0 || i == 1 && digit > 7 {
			return time.Time{}, false
		}
		if i <= 10 { // 50 bits, of which the first two are 0
			millis = millis<<5 | uint64(digit)
		}
	}
	return time.UnixMilli(int64(millis)), true
}

// places are those of characters in the alphabet, from 1; 0 is none.
var places = [256]byte{
	'0': 1, '1': 2, '2': 3, '3': 4, '4': 5, '5': 6, '6': 7, '7': 8,
	'8': 9, '9': 10, 'a': 11, 'b': 12, 'c': 13, 'd': 14, 'e': 15, 'f': 16,
	'g': 17, 'h': 18, 'j': 19, 'k': 20, 'm': 21, 'n': 22, 'p': 23, 'q': 24,
	'r': 25, 's': 26, 't': 27, 'v': 28, 'w': 29, 'x': 30, 'y': 31, 'z': 32,
}
