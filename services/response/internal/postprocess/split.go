package postprocess

import (
	"slices"
	"strings"
)

// splitter tells the text of one choice from what the model thought aloud in
// it: <think> and <thinking> blocks, and the channels of the harmony format,
// whose analysis is thought and whose other channels are text. Tags may be
// split over any number of pieces. A block that is never closed is thought to
// the end.
type splitter struct {
	state  splitState
	buffer string // may be the beginning of a tag
	header string // of a harmony message, between <|channel|> and <|message|>
	closer string // what ends the block
	spoken bool   // some text that is not blank was passed on
	trim   bool   // space before the next text is dropped: a block stood there
}

type splitState uint8

const (
	inText splitState = iota
	inThought
	inHeader
)

// piece is a run of text of one kind.
type piece struct {
	text    string
	thought bool
}

const (
	channelTag = "<|channel|>"
	startTag   = "<|start|>"
	messageTag = "<|message|>"
)

// openers are the tags that matter in text. The last ones end a harmony
// message and are dropped.
var openers = []string{"<think>", "<thinking>", channelTag, startTag, "<|end|>", "<|return|>"}

// closers end an analysis message.
var closers = []string{"<|end|>", "<|return|>", startTag, channelTag}

// maxHeader bounds what may stand between <|channel|> and <|message|>: more
// than that is no header but text.
const maxHeader = 256

// transparent says that text passes as it is: nothing is open, and no tag can
// begin in it.
func (s *splitter) transparent(text string) bool {
	return s.state == inText && s.buffer == "" && !s.trim && !strings.Contains(text, "<")
}

// take takes the next piece of the model's text.
func (s *splitter) take(text string) []piece {
	s.buffer += text
	var out []piece
	for s.step(&out) {
	}
	return out
}

// end gives what is left.
func (s *splitter) end() []piece {
	var out []piece
	switch s.state {
	case inText:
		s.text(&out, s.buffer)
	case inThought:
		add(&out, s.buffer, true)
	case inHeader: // a header that never came to its message was text after all
		s.text(&out, channelTag+s.header+s.buffer)
	}
	*s = splitter{spoken: s.spoken}
	return out
}

// step moves on to the next tag; false where more text is needed.
func (s *splitter) step(out *[]piece) bool {
	switch s.state {
	case inThought:
		tags := closers
		if s.closer != "" {
			tags = []string{s.closer}
		}
		before, tag, rest := find(s.buffer, tags)
		add(out, before, true)
		s.buffer = rest
		if tag == "" {
			return false
		}
		s.state, s.trim = inText, true
		if tag == startTag || tag == channelTag {
			s.buffer = tag + rest
		}
		return true
	case inHeader:
		before, tag, rest := find(s.buffer, []string{messageTag, channelTag})
		s.header += before
		s.buffer = rest
		switch {
		case tag == messageTag:
			name := strings.TrimSpace(s.header)
			s.header, s.closer, s.state, s.trim = "", "", inText, !s.spoken
			if strings.HasPrefix(name, "analysis") {
				s.state = inThought
			}
			return true
		case tag == channelTag: // what stood before was the role
			s.header = ""
			return true
		case len(s.header) > maxHeader:
			s.text(out, channelTag+s.header)
			s.header, s.state = "", inText
			return true
		}
		return false
	}
	before, tag, rest := find(s.buffer, openers)
	s.text(out, before)
	s.buffer = rest
	switch tag {
	case "":
		return false
	case "<think>", "<thinking>":
		s.state, s.closer = inThought, "</"+tag[1:]
	case channelTag, startTag:
		s.state, s.header = inHeader, ""
	}
	return true
}

// text passes text on; where a block stood before it and nothing was said yet,
// the space between goes.
func (s *splitter) text(out *[]piece, text string) {
	if s.trim && !s.spoken {
		text = strings.TrimLeft(text, " \t\r\n")
	}
	if text == "" {
		return
	}
	s.trim = false
	s.spoken = s.spoken || strings.TrimSpace(text) != ""
	add(out, text, false)
}

func add(out *[]piece, text string, thought bool) {
	if text == "" {
		return
	}
	if n := len(*out); n > 0 && (*out)[n-1].thought == thought {
		(*out)[n-1].text += text
		return
	}
	*out = append(*out, piece{text, thought})
}

// find cuts text at the first of the tags. Without one, rest is the end of
// text that may be the beginning of a tag.
func find(text string, tags []string) (before, tag, rest string) {
	for at := strings.IndexByte(text, '<'); at >= 0; {
		for _, tag := range tags {
			if strings.HasPrefix(text[at:], tag) {
				return text[:at], tag, text[at+len(tag):]
			}
		}
		if slices.ContainsFunc(tags, func(tag string) bool { return strings.HasPrefix(tag, text[at:]) }) {
			return text[:at], "", text[at:]
		}
		next := strings.IndexByte(text[at+1:], '<')
		if next < 0 {
			break
		}
		at += 1 + next
	}
	return text, "", ""
}
