package edge

import (
	"net/http"
	"strconv"
	"time"

	"github.com/gptmesh/gptmesh/pkg/fault"
)

// clientTimeout is the deadline that a client asks for, at most most; 0 where it
// asks for none.
func clientTimeout(h http.Header, most time.Duration) (time.Duration, error) {
	for _, key := range [...]string{"X-Request-Timeout", "Timeout"} {
		value := first(h, key)
		if value == "" {
			continue
		}
		timeout, ok := parseSeconds(value, most)
		if !ok {
			return 0, fault.InvalidField(key, "it must be a positive number of seconds")
		}
		return timeout, nil
	}
	return 0, nil
}

// parseSeconds reads a positive decimal number of seconds, at most most.
func parseSeconds(s string, most time.Duration) (time.Duration, bool) {
	if len(s) > 32 {
		return 0, false
	}
	for i := range len(s) {
		if (s[i] < '0' || s[i] > '9') && s[i] != '.' {
			return 0, false
		}
	}
	seconds, err := strconv.ParseFloat(s, 64)
	if err != nil || !(seconds > 0) {
		return 0, false
	}
	if seconds >= most.Seconds() {
		return most, true
	}
	return max(time.Duration(seconds*float64(time.Second)), time.Millisecond), true
}
