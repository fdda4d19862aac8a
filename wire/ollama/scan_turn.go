package ollama

import (
	"bytes"
	"strings"
	"time"
	"unicode/utf8"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// Positions in the result of a scan for turnKeys.
const (
	keyModel = iota
	keyName
	keyStream
	keyOptions
	keyTools
	keyMessages
	keyPrompt
	keyImages
	keyKeepAlive
	keyMaxOutputTokens
	keyStop
	keySystem
	keySuffix
	keyThink
	keyFormat
	keyRaw
	keyTemplate
	keyContext
	keyCount
)

// turnKeys are the members of a turn that rooms act on or that say what the
// model is told. None may stand twice.
var turnKeys = jsonscan.NewKeys("model", "name", "stream", "options", "tools", "messages", "prompt", "images", "keep_alive",
	"max_output_tokens", "stop", "system", "suffix", "think", "format", "raw", "template", "context")

var optionKeys = jsonscan.NewKeys("num_predict", "stop")

// head is what a body says to the mesh.
type head struct {
	at     [keyCount]jsonscan.Member
	model  string
	stream bool
	limit  *int64 // tokens of output; nil where there is no limit
}

// scan validates the body and reads its head.
func scan(body []byte) (*head, error) {
	h := &head{stream: true}
	if _, err := jsonscan.Scan(body, turnKeys, h.at[:0]); err != nil {
		return nil, jsonbody.ScanFault(err)
	}
	top := jsonbody.Whole(body)
	if err := refuseOtherCase(body); err != nil {
		return nil, err
	}
	if err := h.read(top); err != nil {
		return nil, err
	}
	return h, nil
}

func (h *head) member(top *jsonbody.Value, key int) *jsonbody.Value {
	return top.Child(h.at[key])
}

func (h *head) read(top *jsonbody.Value) error {
	for _, key := range []int{keyModel, keyName} {
		m := h.member(top, key)
		if m.IsNull() || h.model != "" {
			continue
		}
		var err error
		if h.model, err = m.String(); err != nil {
			return err
		}
	}
	if m := h.member(top, keyStream); !m.IsNull() {
		var err error
		if h.stream, err = m.Truth(); err != nil {
			return err
		}
	}
	limits := []*jsonbody.Value{h.member(top, keyMaxOutputTokens)}
	if m := h.member(top, keyOptions); !m.IsNull() {
		if m.Kind != jsonscan.Object {
			return m.Malformed("an object")
		}
		var room [2]jsonscan.Member
		inner, err := jsonscan.ScanObject(top.Body(), m.Value, optionKeys, room[:0])
		if err != nil {
			return jsonbody.ScanFault(err)
		}
		limits = append(limits, m.Child(inner[0]))
	}
	for _, m := range limits {
		if m.IsNull() {
			continue
		}
		n, err := m.Integer()
		if err != nil {
			return err
		}
		h.limit = nil
		if n > 0 {
			h.limit = &n
		}
	}
	return nil
}

// refuseOtherCase refuses "Model" where "model" is known: Ollama would read it.
func refuseOtherCase(body []byte) error {
	var refused error
	err := jsonscan.ForEachMember(body, jsonscan.Span{End: len(body)}, func(m jsonscan.Member) bool {
		if plain(m.Key.Of(body)) {
			return true
		}
		name := string(m.AppendName(nil, body))
		for i := range turnKeys.Len() {
			if known := turnKeys.Name(i); name != known && strings.EqualFold(name, known) {
				refused = jsonbody.Malformed(name, "the member is spelled "+known)
			}
		}
		return refused == nil
	})
	if refused != nil {
		return refused
	}
	return jsonbody.ScanFault(err)
}

// plain tells whether a key is spelled without capitals and escapes.
func plain(key []byte) bool {
	for _, c := range key {
		if 'A' <= c && c <= 'Z' || c >= utf8.RuneSelf || c == '\\' {
			return false
		}
	}
	return true
}

// ScanTurn implements wire.Codec. A body that only loads or unloads a model
// scans like any other; LoadRequest tells it.
func (c codec) ScanTurn(body []byte) (*conversationv1.Turn, error) {
	h, err := scan(body)
	if err != nil {
		return nil, err
	}
	return &conversationv1.Turn{
		Model: h.model, Stream: h.stream, MaxOutputTokens: h.limit, AcceptWire: c.wire,
		HasTools: h.hasTools(body), Raw: &conversationv1.RawTurn{Wire: c.wire, Body: body},
	}, nil
}

func (h *head) hasTools(body []byte) bool {
	return h.at[keyTools].Kind == jsonscan.Array && !empty(h.at[keyTools], body)
}

// empty tells whether a value is null, "", [] or {}, or not there.
func empty(m jsonscan.Member, body []byte) bool {
	switch m.Kind {
	case jsonscan.Absent, jsonscan.Null:
		return true
	case jsonscan.String:
		return m.Value.End-m.Value.Start == 2
	case jsonscan.Array, jsonscan.Object:
		raw := m.Value.Of(body)
		return len(bytes.TrimSpace(raw[1:len(raw)-1])) == 0
	}
	return false
}

// LoadRequest tells whether a client's body of /api/chat or /api/generate asks
// nothing of the model: no messages, or no prompt. Then load is true where the
// model is to be brought into memory and unload where it is to be dropped from
// it (keep_alive is 0). Both are false for a turn and for a body that ScanTurn
// refuses.
func LoadRequest(body []byte) (load, unload bool) {
	h, err := scan(body)
	if err != nil || !empty(h.at[keyMessages], body) || !empty(h.at[keyPrompt], body) || !empty(h.at[keyImages], body) || !empty(h.at[keySuffix], body) {
		return false, false
	}
	if zeroDuration(h.member(jsonbody.Whole(body), keyKeepAlive)) {
		return false, true
	}
	return true, false
}

// zeroDuration reads keep_alive, a number of seconds or a text such as "0s".
func zeroDuration(m *jsonbody.Value) bool {
	switch m.Kind {
	case jsonscan.Number:
		f, err := m.Number()
		return err == nil && f == 0
	case jsonscan.String:
		text, err := m.String()
		if err != nil {
			return false
		}
		d, err := time.ParseDuration(text)
		return err == nil && d == 0
	}
	return false
}

var contentKeys = jsonscan.NewKeys("content", "images")

// tolerated tells whether the body holds content in a form that Ollama itself
// does not take.
func (h *head) tolerated(body []byte) bool {
	if dataURLs(body, h.at[keyImages]) {
		return true
	}
	if h.at[keyMessages].Kind != jsonscan.Array {
		return false
	}
	found := false
	_ = jsonscan.ForEachElement(body, h.at[keyMessages].Value, func(m jsonscan.Member) bool {
		var room [2]jsonscan.Member
		if m.Kind == jsonscan.Object {
			at, err := jsonscan.ScanObject(body, m.Value, contentKeys, room[:0])
			found = err == nil && (at[0].Kind == jsonscan.Array || dataURLs(body, at[1]))
		}
		return !found
	})
	return found
}

func dataURLs(body []byte, images jsonscan.Member) (found bool) {
	if images.Kind == jsonscan.Array {
		_ = jsonscan.ForEachElement(body, images.Value, func(e jsonscan.Member) bool {
			found = bytes.HasPrefix(e.Raw(body), []byte(`"data:`))
			return !found
		})
	}
	return found
}
