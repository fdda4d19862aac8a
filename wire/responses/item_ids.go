package responses

import (
	"strconv"
	"strings"
	"time"
)

// Prefixes of item ids.
const (
	messagePrefix   = "msg"
	callPrefix      = "fc"
	customPrefix    = "ctc"
	outputPrefix    = "fco"
	reasoningPrefix = "rs"
	otherPrefix     = "item"
)

// answerPrefix is what the ids of answers begin with.
const answerPrefix = "resp_"

// itemID is the id of item n of what id names: an answer, or a message that a
// session keeps.
func itemID(prefix, id string, n int) string {
	body := strings.TrimPrefix(strings.TrimPrefix(id, answerPrefix), messagePrefix+"_")
	return prefix + "_" + body + "_" + strconv.Itoa(n)
}

// AnswerOf is the id of the answer that an item's id would belong to, and
// whether the id has the form of one.
func AnswerOf(item string) (answer string, ok bool) {
	_, rest, found := strings.Cut(item, "_")
	at := strings.LastIndexByte(rest, '_')
	if !found || at <= 0 || at == len(rest)-1 {
		return "", false
	}
	if _, err := strconv.ParseUint(rest[at+1:], 10, 31); err != nil {
		return "", false
	}
	return answerPrefix + rest[:at], true
}

// TimeOf is when an id of the mesh was made, to the millisecond: its characters
// sort by time.
func TimeOf(id string) (at time.Time, ok bool) {
	const alphabet, length = "0123456789abcdefghjkmnpqrstvwxyz", 26
	_, text, found := strings.Cut(id, "_")
	if !found || len(text) != length {
		return time.Time{}, false
	}
	millis := uint64(0)
	for i := range 10 { // The first 48 of 128 bits are the time.
		digit := strings.IndexByte(alphabet, text[i])
		if digit < 0 {
			return time.Time{}, false
		}
		millis = millis<<5 | uint64(digit)
	}
	return time.UnixMilli(int64(millis)), true
}
