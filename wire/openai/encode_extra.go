package openai

import (
	"slices"

	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
	"github.com/gptmesh/gptmesh/wire/internal/dropped"
)

var noKeys = jsonscan.NewKeys()

// checked writes JSON that the typed turn brings, which must be one object.
func (e *turnEncoder) checked(field, json string) error {
	if _, err := jsonscan.Scan([]byte(json), noKeys, nil); err != nil {
		return fault.InvalidField("turn."+field, "is not a JSON object").WithCause(err)
	}
	e.Raw(json)
	return nil
}

// forEachExtra calls fn with the members of extra_json, in order.
func forEachExtra(json string, fn func(name, value string)) {
	if json == "" {
		return
	}
	body := []byte(json)
	if _, err := jsonscan.Scan(body, noKeys, nil); err != nil {
		return // What is no object has no members.
	}
	// The scan has shown that nothing can fail.
	_ = jsonscan.ForEachMember(body, jsonscan.Span{End: len(body)}, func(m jsonscan.Member) bool {
		fn(string(m.AppendName(nil, body)), string(m.Raw(body)))
		return true
	})
}

// extra writes the members of extra_json into the open object where they are of
// this dialect, else names them as dropped at their place.
func (e *turnEncoder) extra(place dropped.Place, json string, skip ...string) {
	e.extraBelow(place, "", json, skip...)
}

// extraBelow is extra for members that stand deeper than their place, by the
// way there, "function.".
func (e *turnEncoder) extraBelow(place dropped.Place, way, json string, skip ...string) {
	forEachExtra(json, func(name, value string) {
		switch {
		case slices.Contains(skip, name):
		case e.client == e.wire:
			e.RawField(name, value)
		default:
			e.dropped.Below(place, way+name)
		}
	})
}

// nested writes what extra_json has below name into the open object, and
// returns extra_json without it.
func (e *turnEncoder) nested(path string, place dropped.Place, json, name string) (after string, err error) {
	if json == "" {
		return "", nil
	}
	body := []byte(json)
	found, err := jsonscan.Scan(body, jsonscan.NewKeys(name), nil)
	if err != nil {
		return "", fault.InvalidField("turn."+path+".extra_json", "is not a JSON object").WithCause(err)
	}
	if found[0].Kind != jsonscan.Object {
		return json, nil
	}
	e.extraBelow(place, name+".", string(found[0].Raw(body)))
	left, err := jsonscan.Splice(nil, body, jsonscan.Edit{At: found[0]})
	if err != nil {
		return "", fault.Internal(err)
	}
	return string(left), nil
}
