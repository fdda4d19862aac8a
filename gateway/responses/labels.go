package responses

import (
	"bytes"
	"compress/flate"
	"encoding/base64"
	"io"
	"strconv"
	"strings"
	"unicode/utf8"

	wireresponses "github.com/gptmesh/gptmesh/wire/responses"
)

// What an answer repeats of its request is kept in the request's labels, cut
// into pieces that fit: JSON as it is, or compressed where that is long.
const (
	labelPrefix = "gptmesh.responses."
	pieceRunes  = 1024
	maxPieces   = 44 // of 64 labels, 16 are the client's
	plainBytes  = 4 << 10
	// sessionLabel says that the session was made for the request alone.
	sessionLabel = labelPrefix + "session"
	// compressed stands before what is not JSON.
	compressed = "deflate:"
)

// setEcho adds the labels that hold echo. What is too long even so goes without
// its tools, and then without all but what says how it was stored.
func setEcho(labels map[string]string, echo *wireresponses.Echo) {
	short := *echo
	for _, without := range []string{"", "tools", "text", "instructions"} {
		short.Set(without, "")
		if pieces := cut(pack(short.JSON())); len(pieces) <= maxPieces {
			for i, piece := range pieces {
				labels[labelPrefix+strconv.Itoa(i)] = piece
			}
			return
		}
	}
	rest := &wireresponses.Echo{}
	for _, name := range []string{"store", "background", "previous_response_id", "conversation"} {
		rest.Set(name, echo.Get(name))
	}
	for i, piece := range cut(rest.JSON()) {
		labels[labelPrefix+strconv.Itoa(i)] = piece
	}
}

// echoOf reads what setEcho wrote; without labels it is what a client that
// asked for nothing gets.
func echoOf(labels map[string]string) *wireresponses.Echo {
	var packed strings.Builder
	for i := range maxPieces {
		packed.WriteString(labels[labelPrefix+strconv.Itoa(i)])
	}
	echo, err := wireresponses.EchoOf([]byte(unpack(packed.String())))
	if err != nil {
		return &wireresponses.Echo{}
	}
	return echo
}

func pack(json string) string {
	if len(json) <= plainBytes {
		return json
	}
	var out bytes.Buffer
	out.WriteString(compressed)
	encoder := base64.NewEncoder(base64.RawStdEncoding, &out)
	// Writing to memory cannot fail, nor can the level be wrong.
	w, _ := flate.NewWriter(encoder, flate.DefaultCompression)
	_, _ = io.WriteString(w, json)
	_ = w.Close()
	_ = encoder.Close()
	return out.String()
}

// maxEcho bounds what is unpacked.
const maxEcho = 32 << 20

func unpack(packed string) string {
	encoded, ok := strings.CutPrefix(packed, compressed)
	if !ok {
		return packed
	}
	r := flate.NewReader(base64.NewDecoder(base64.RawStdEncoding, strings.NewReader(encoded)))
	json, err := io.ReadAll(io.LimitReader(r, maxEcho))
	if err != nil {
		return ""
	}
	return string(json)
}

// cut cuts a text into pieces of whole characters.
func cut(s string) (pieces []string) {
	for len(s) > 0 {
		end, runes := 0, 0
		for end < len(s) && runes < pieceRunes {
			_, size := utf8.DecodeRuneInString(s[end:])
			end += size
			runes++
		}
		pieces = append(pieces, s[:end])
		s = s[end:]
	}
	return pieces
}
