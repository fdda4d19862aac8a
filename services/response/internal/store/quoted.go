package store

import (
	"bytes"
	"encoding/binary"
	"errors"
	"slices"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
)

// A provider's answer in one piece stands in the log as it came, so that the
// texts of its messages are in the row already, as strings of JSON. Quoted
// messages are those bytes with places in the log where such texts were: after
// quotedMessages a length and bytes, then as often as needed the place and the
// length of what is to be unescaped of the log, a length and bytes. A stream's log may
// have its texts one behind the other, see alike.Texts: after quotedStored the places are
// those of the log as it is stored. Typed events have their texts as they are: after
// quotedVerbatim nothing is to be unescaped, and the places are those of the stored log, too.

// The first bytes of quoted messages. No marshalled message begins with one of them.
const (
	quotedMessages = 0
	quotedStored   = 1
	quotedVerbatim = 2
)

const (
	// quoteFrom is the shortest text that is looked for.
	quoteFrom = 64
	// maxNeedle bounds what of a text is looked for first, minNeedle is the least of
	// it, and maxTries bounds how many places with it are looked at.
	maxNeedle, minNeedle, maxTries = 32, 4, 4
)

// Quote puts into the place of the texts of r that messages, its marshalled
// messages, hold where frames, its log, has them. It returns messages themselves
// where it has none.
func Quote(r *responsev1.Response, messages, frames []byte) []byte {
	if out, ok := appendQuoted(nil, quotedMessages, r, messages, frames); ok {
		return out
	}
	return messages
}

// appendQuoted appends what Quote makes, or what quotedVerbatim stands before where mark is
// that; false where that would be the messages.
func appendQuoted(out []byte, mark byte, r *responsev1.Response, messages, frames []byte) ([]byte, bool) {
	quotes := 0
	from := 0 // of messages, in out already
	var needle [maxNeedle + 1]byte
	for _, choice := range r.GetChoices() {
		for _, part := range choice.GetMessage().GetParts() {
			text := part.GetText()
			if len(text) < quoteFrom {
				continue
			}
			place, size, ok := 0, len(text), false
			if mark == quotedVerbatim {
				place = find(frames, append(needle[:0], text[:maxNeedle]...), text)
				ok = place >= 0
			} else {
				start := append(append(needle[:0], '"'), text[:plain(text)]...)
				place, size, ok = findQuoted(frames, start, text)
			}
			if !ok {
				continue
			}
			at := find(messages[from:], append(needle[:0], text[:maxNeedle]...), text)
			if at < 0 {
				continue
			}
			if quotes++; quotes == 1 {
				out = append(slices.Grow(out, len(messages)-len(text)+16), mark)
			}
			out = binary.AppendUvarint(out, uint64(at))
			out = append(out, messages[from:from+at]...)
			out = binary.AppendUvarint(out, uint64(place))
			out = binary.AppendUvarint(out, uint64(size))
			from += at + len(text)
		}
	}
	if quotes == 0 {
		return out, false
	}
	out = binary.AppendUvarint(out, uint64(len(messages)-from))
	return append(out, messages[from:]...), true
}

// appendStored appends messages with a place in the stored log in the place of the texts
// that stand there from from to to, where they are part of a text of r; false where they are
// not. mark is quotedStored or quotedVerbatim.
func appendStored(out []byte, mark byte, r *responsev1.Response, messages, stored []byte, from, to int) ([]byte, bool) {
	texts := stored[from:to]
	start := texts[:min(len(texts), maxNeedle)]
	if mark == quotedStored {
		start = start[:plain(start)]
	}
	if len(texts) < quoteFrom || len(start) < minNeedle {
		return out, false
	}
	for _, choice := range r.GetChoices() {
		for _, part := range choice.GetMessage().GetParts() {
			text := part.GetText()
			if len(text) < quoteFrom {
				continue
			}
			at, size := 0, 0
			if mark == quotedStored {
				at, size = findTexts(text, string(start), texts)
			} else if at = findWhole(text, string(start), texts); at >= 0 {
				size = len(texts)
			}
			if size == 0 {
				continue
			}
			var needle [maxNeedle]byte
			place := find(messages, append(needle[:0], text[:maxNeedle]...), text)
			if place < 0 {
				continue
			}
			place += at
			out = append(slices.Grow(out, len(messages)-size+32), mark)
			out = append(binary.AppendUvarint(out, uint64(place)), messages[:place]...)
			out = binary.AppendUvarint(binary.AppendUvarint(out, uint64(from)), uint64(to-from))
			messages = messages[place+size:]
			return append(binary.AppendUvarint(out, uint64(len(messages))), messages...), true
		}
	}
	return out, false
}

// findWhole is the place of texts, which begin with start, in text; -1 where it is not soon
// found.
func findWhole(text, start string, texts []byte) int {
	at := 0
	for range maxTries {
		next := strings.Index(text[at:], start)
		if next < 0 || len(text)-at-next < len(texts) {
			return -1
		}
		at += next
		if text[at:at+len(texts)] == string(texts) {
			return at
		}
		at++
	}
	return -1
}

// findTexts looks in text for what quoted, which begins with start, makes when it is
// unescaped, and says how many bytes that is; 0 where it is not soon found.
func findTexts(text, start string, quoted []byte) (at, size int) {
	for range maxTries {
		next := strings.Index(text[at:], start)
		if next < 0 {
			return 0, 0
		}
		at += next
		if size = unquotedSize(quoted, text[at:]); size > 0 {
			return at, size
		}
		at++
	}
	return 0, 0
}

// unquotedSize is how many bytes at the beginning of text all of quoted makes when it is
// unescaped; 0 where it makes something else.
func unquotedSize(quoted []byte, text string) (size int) {
	for len(quoted) > 0 {
		run := len(quoted)
		if at := bytes.IndexByte(quoted, '\\'); at >= 0 {
			run = at
		}
		if len(text)-size < run || text[size:size+run] != string(quoted[:run]) {
			return 0
		}
		if size, quoted = size+run, quoted[run:]; len(quoted) == 0 {
			break
		}
		var made [2 * utf8.UTFMax]byte
		piece, n := unescape(made[:0], quoted)
		if n == 0 || len(text)-size < len(piece) || text[size:size+len(piece)] != string(piece) {
			return 0
		}
		size, quoted = size+len(piece), quoted[n:]
	}
	return size
}

// find is the place of text, which begins with start, in messages; -1 where it is
// not soon found.
func find(messages, start []byte, text string) int {
	at := 0
	for range maxTries {
		next := bytes.Index(messages[at:], start)
		if next < 0 || len(messages)-at-next < len(text) {
			return -1
		}
		at += next
		if string(messages[at:at+len(text)]) == text {
			return at
		}
		at++
	}
	return -1
}

// plain is how much of the beginning of text no writer of JSON escapes, at most
// maxNeedle bytes.
func plain[T string | []byte](text T) int {
	for i := range min(len(text), maxNeedle) {
		switch c := text[i]; {
		case c >= 'a' && c <= 'z', c >= 'A' && c <= 'Z', c >= '0' && c <= '9':
		case strings.IndexByte(" !#$%()*+,-.:;=?@[]_{|}~", c) >= 0:
		default:
			return i
		}
	}
	return min(len(text), maxNeedle)
}

// findQuoted looks for text as a string of JSON in frames. start is a quotation
// mark and the text's beginning.
func findQuoted(frames, start []byte, text string) (place, size int, ok bool) {
	if len(start) < 1+minNeedle {
		return 0, 0, false
	}
	for range maxTries {
		at := bytes.Index(frames[place:], start)
		if at < 0 {
			return 0, 0, false
		}
		place += at + 1
		if size, ok = quotedSize(frames[place:], text); ok {
			return place, size, true
		}
	}
	return 0, 0, false
}

// quotedSize is how many bytes at the beginning of quoted make text when they
// are unescaped.
func quotedSize(quoted []byte, text string) (size int, ok bool) {
	for len(text) > 0 {
		run := min(len(quoted)-size, len(text))
		if at := bytes.IndexByte(quoted[size:size+run], '\\'); at >= 0 {
			run = at
		}
		if string(quoted[size:size+run]) != text[:run] {
			return 0, false
		}
		size, text = size+run, text[run:]
		if len(text) == 0 {
			break
		}
		var made [2 * utf8.UTFMax]byte
		piece, n := unescape(made[:0], quoted[size:])
		if n == 0 || len(piece) > len(text) || text[:len(piece)] != string(piece) {
			return 0, false
		}
		size, text = size+n, text[len(piece):]
	}
	return size, true
}

// unescape appends what the escape at the beginning of quoted stands for, and
// returns how long the escape is; 0 where there is none.
func unescape(dst, quoted []byte) (out []byte, size int) {
	if len(quoted) < 2 || quoted[0] != '\\' {
		return dst, 0
	}
	switch c := quoted[1]; c {
	case '"', '\\', '/':
		return append(dst, c), 2
	case 'b':
		return append(dst, '\b'), 2
	case 'f':
		return append(dst, '\f'), 2
	case 'n':
		return append(dst, '\n'), 2
	case 'r':
		return append(dst, '\r'), 2
	case 't':
		return append(dst, '\t'), 2
	}
	first, ok := unit(quoted)
	if !ok {
		return dst, 0
	}
	if utf16.IsSurrogate(first) {
		if second, ok := unit(quoted[6:]); ok {
			if pair := utf16.DecodeRune(first, second); pair != utf8.RuneError {
				return utf8.AppendRune(dst, pair), 12
			}
		}
	}
	return utf8.AppendRune(dst, first), 6
}

// unit reads an escape of four hexadecimal digits.
func unit(quoted []byte) (rune, bool) {
	if len(quoted) < 6 || quoted[0] != '\\' || quoted[1] != 'u' {
		return 0, false
	}
	n, err := strconv.ParseUint(string(quoted[2:6]), 16, 16)
	return rune(n), err == nil
}

var errQuoted = errors.New("stored messages: broken")

// IsQuoted says whether stored messages need the log to be read.
func IsQuoted(messages []byte) bool {
	return len(messages) > 0 && messages[0] <= quotedVerbatim
}

// UnquoteStored undoes what ToQuoted made of messages; log is the log as it is stored.
func UnquoteStored(messages, log []byte) ([]byte, error) {
	if !IsQuoted(messages) || messages[0] != quotedMessages {
		return Unquote(messages, log)
	}
	frames, err := UnpackLog(log)
	if err != nil {
		return nil, err
	}
	return Unquote(messages, frames)
}

// Unquote puts quoted messages together. Messages that are not quoted it returns as they
// are.
func Unquote(stored, frames []byte) ([]byte, error) {
	if !IsQuoted(stored) {
		return stored, nil
	}
	verbatim := stored[0] == quotedVerbatim
	stored = stored[1:]
	number := func() (int, bool) {
		n, size := binary.Uvarint(stored)
		if size <= 0 || n > maxLog {
			return 0, false
		}
		stored = stored[size:]
		return int(n), true
	}
	var out []byte
	for {
		size, ok := number()
		if !ok || size > len(stored) {
			return nil, errQuoted
		}
		out, stored = append(out, stored[:size]...), stored[size:]
		if len(stored) == 0 {
			return out, nil
		}
		place, ok1 := number()
		length, ok2 := number()
		if !ok1 || !ok2 || place > len(frames) || length > len(frames)-place || len(out) > maxLog {
			return nil, errQuoted
		}
		for quoted := frames[place : place+length]; len(quoted) > 0; {
			run := len(quoted)
			if at := bytes.IndexByte(quoted, '\\'); at >= 0 && !verbatim {
				run = at
			}
			out, quoted = append(out, quoted[:run]...), quoted[run:]
			if len(quoted) > 0 {
				var n int
				if out, n = unescape(out, quoted); n == 0 {
					return nil, errQuoted
				}
				quoted = quoted[n:]
			}
		}
	}
}
