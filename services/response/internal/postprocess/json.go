package postprocess

import (
	"encoding/json"
	"errors"
	"strings"

	"github.com/gptmesh/gptmesh/services/response/internal/jsonschema"
)

// maxCandidates bounds how many places of an answer are tried.
const maxCandidates = 64

// errNoJSON is the detail of an answer without JSON.
var errNoJSON = errors.New("no valid JSON")

// ExtractJSON finds the JSON in an answer: the whole of it; else the content of
// a fenced block; else the longest object or array within the prose. Of several
// the first that fits the schema is taken; a nil schema fits all. The JSON is
// returned as the model wrote it, without space around it. Without any the
// error says so; where none fits it is the mismatch of the best candidate.
func ExtractJSON(text string, schema *jsonschema.Schema) (string, error) {
	var mismatch error
	for _, candidate := range candidates(text) {
		value, err := jsonschema.Parse([]byte(candidate))
		if err != nil {
			continue
		}
		if schema == nil {
			return candidate, nil
		}
		if err = schema.Validate(value); err == nil {
			return candidate, nil
		}
		if mismatch == nil {
			mismatch = err
		}
	}
	if mismatch == nil {
		mismatch = errNoJSON
	}
	return "", mismatch
}

// candidates are texts that may be JSON, the likeliest first.
func candidates(text string) []string {
	text = strings.TrimSpace(text)
	if text == "" {
		return nil
	}
	list := []string{text}
	list = append(list, fenced(text)...)
	return append(list, embedded(text)...)
}

// fenced are the contents of blocks between ``` marks.
func fenced(text string) []string {
	var list []string
	for len(list) < maxCandidates {
		_, after, ok := strings.Cut(text, "```")
		if !ok {
			break
		}
		body, rest, closed := strings.Cut(after, "```")
		// The first line may name the language.
		if line, below, ok := strings.Cut(body, "\n"); ok && !strings.ContainsAny(line, "{[\"") {
			body = below
		} else {
			body = strings.TrimPrefix(strings.TrimPrefix(body, "json"), "JSON")
		}
		if body = strings.TrimSpace(body); body != "" {
			list = append(list, body)
		}
		if !closed {
			break
		}
		text = rest
	}
	return list
}

// embedded are the objects and arrays that stand in prose, the longest first.
func embedded(text string) []string {
	var list []string
	for at, tries := 0, 0; at < len(text) && tries < maxCandidates; tries++ {
		i := strings.IndexAny(text[at:], "{[")
		if i < 0 {
			break
		}
		at += i
		decoder := json.NewDecoder(strings.NewReader(text[at:]))
		var raw json.RawMessage
		if err := decoder.Decode(&raw); err != nil {
			at++
			continue
		}
		list = append(list, string(raw))
		at += int(decoder.InputOffset())
	}
	longest := 0
	for i, candidate := range list {
		if len(candidate) > len(list[longest]) {
			longest = i
		}
	}
	if longest > 0 {
		list[0], list[longest] = list[longest], list[0]
	}
	return list
}
