package route

import (
	"crypto/sha256"
	"encoding/binary"
)

// buckets is how finely a share is told: hundredths of a percent.
const buckets = 10_000

// In says whether key belongs to the first percent of all keys, for what is
// called salt. Every process says the same, at any time; a key that is in stays
// in when percent grows. Below 0 is 0, above 100 is 100.
func In(salt, key string, percent float64) bool {
	return float64(bucket(salt, key)) < percent*buckets/100
}

func bucket(salt, key string) uint64 {
	sum := sha256.Sum256([]byte(salt + "\x00" + key))
	return binary.BigEndian.Uint64(sum[:8]) % buckets
}
