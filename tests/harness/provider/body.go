package provider

import (
	"bytes"
	"encoding/json"
	"io"
	"net/http"
	"time"
)

// asked is what every wire's bodies have in common.
type asked struct {
	Model  string          `json:"model"`
	Name   string          `json:"name"`
	Stream *bool           `json:"stream"`
	Input  json.RawMessage `json:"input"`
	Prompt *string         `json:"prompt"`

	StreamOptions *struct {
		IncludeUsage bool `json:"include_usage"`
	} `json:"stream_options"`
	EncodingFormat string `json:"encoding_format"`
}

// read reads a body. Where it is no JSON it answers and returns false.
func (p *Provider) read(w http.ResponseWriter, r *http.Request, wire *Wire, streams bool) (*Call, asked, bool) {
	var a asked
	body, err := io.ReadAll(r.Body)
	if err == nil {
		err = json.Unmarshal(body, &a)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return nil, a, false
	}
	c := &Call{Wire: wire, Path: r.URL.Path, Model: a.Model, Stream: streams, Header: r.Header.Clone(), Body: body}
	if a.Stream != nil {
		c.Stream = *a.Stream
	}
	return c, a, true
}

// quote is s as JSON, as the real servers write it: characters of HTML stay.
func quote(s string) string {
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	_ = encoder.Encode(s) // a string cannot fail
	return string(bytes.TrimRight(out.Bytes(), "\n"))
}

func writeJSON(w http.ResponseWriter, status int, body string) {
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, body)
}

// born is when every model and answer was made: answers are the same each time.
var born = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// inputs are the texts to embed: one, or a list.
func inputs(raw json.RawMessage) []string {
	var list []string
	if json.Unmarshal(raw, &list) == nil {
		return list
	}
	var one string
	if json.Unmarshal(raw, &one) == nil {
		return []string{one}
	}
	return nil
}

// vector is the embedding of a text: four numbers made of its length.
func vector(s string) [4]float32 {
	n := float32(len(s))
	return [4]float32{n, n / 2, -n / 4, 0.5}
}
