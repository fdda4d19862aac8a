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
		digit := strings.IndexByte(alphabet, rest[i])
		if digit < 0 || i == 1 && digit > 7 {
			return time.Time{}, false
		}
		if i <= 10 { // 50 bits, of which the first two are 0
			millis = millis<<5 | uint64(digit)
		}
	}
	return time.UnixMilli(int64(millis)), true
}
