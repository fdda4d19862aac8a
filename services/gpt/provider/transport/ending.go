package transport

import (
	"bytes"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// The last chunk of an answer waits for its rows: of a read that brings the end and
// much before it, no more than keptEnd and a part of an event waits.
const (
	muchBeforeEnd = 4 << 10
	keptEnd       = 1 << 10
)

// beforeEnd is the length of the whole events that are not near the end of raw.
func beforeEnd(raw []byte, form conversationv1.RawForm) int {
	from, end := len(raw)-keptEnd, "\n\n"
	if form == conversationv1.RawForm_RAW_FORM_NDJSON {
		end = "\n"
	}
	at := bytes.Index(raw[from:], []byte(end))
	if at < 0 || from+at+len(end) == len(raw) {
		return 0
	}
	return from + at + len(end)
}
