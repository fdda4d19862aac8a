package responses

import (
	"fmt"
	"net/http"
	"strings"
	"unicode/utf8"

	"github.com/gptmesh/gptmesh/gateway/answer"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// The members that the face acts on, by position.
const (
	atStore = iota
	atBackground
	atPrevious
	atConversation
	atMetadata
	atStreamOptions
	atTruncation
	atInput
	faceMembers
)

var faceKeys = jsonscan.NewKeys(
	"store", "background", "previous_response_id", "conversation", "metadata", "stream_options", "truncation", "input",
)

// members is what the face acts on of a body.
type members struct {
	body         []byte
	found        [faceMembers]jsonscan.Member
	store        bool
	background   bool
	previous     string
	conversation string
	metadata     map[string]string
}

// readMembers reads them.
func readMembers(body []byte) (*members, error) {
	m := &members{body: body, store: true}
	if _, err := jsonscan.Scan(body, faceKeys, m.found[:]); err != nil {
		return nil, err // never: the body was scanned
	}
	var err error
	if m.store, err = m.truth(atStore, true); err != nil {
		return nil, err
	}
	if m.background, err = m.truth(atBackground, false); err != nil {
		return nil, err
	}
	if m.previous, err = m.text(atPrevious, m.found[atPrevious]); err != nil {
		return nil, err
	}
	if m.conversation, err = m.readConversation(); err != nil {
		return nil, err
	}
	if at := m.found[atMetadata]; at.Kind != jsonscan.Absent && at.Kind != jsonscan.Null {
		if m.metadata, err = readMetadata(body, at); err != nil {
			return nil, err
		}
	}
	switch {
	case m.previous != "" && m.conversation != "":
		return nil, refuse(http.StatusBadRequest, "mutually_exclusive_parameters", "previous_response_id",
			"Mutually exclusive parameters: 'previous_response_id' and 'conversation'.")
	case m.background && !m.store:
		return nil, fault.InvalidField("background", "needs store: true")
	}
	return m, nil
}

func (m *members) truth(i int, missing bool) (bool, error) {
	switch m.found[i].Kind {
	case jsonscan.Absent, jsonscan.Null:
		return missing, nil
	case jsonscan.True, jsonscan.False:
		return m.found[i].Kind == jsonscan.True, nil
	}
	return false, fault.InvalidField(faceKeys.Name(i), "want a boolean")
}

func (m *members) text(i int, at jsonscan.Member) (string, error) {
	if at.Kind == jsonscan.Absent || at.Kind == jsonscan.Null {
		return "", nil
	}
	s, err := at.Text(m.body)
	if err != nil {
		return "", fault.InvalidField(faceKeys.Name(i), "want a string")
	}
	if s == "" {
		return "", fault.InvalidField(faceKeys.Name(i), "is empty")
	}
	return s, nil
}

var idKeys = jsonscan.NewKeys("id")

// readConversation reads an id, or an object with one.
func (m *members) readConversation() (string, error) {
	at := m.found[atConversation]
	if at.Kind == jsonscan.Object {
		inside, err := jsonscan.ScanObject(m.body, at.Value, idKeys, nil)
		if err != nil || inside[0].Kind != jsonscan.String {
			return "", fault.InvalidField("conversation.id", "want a string")
		}
		at = inside[0]
	}
	id, err := m.text(atConversation, at)
	if err == nil && id != "" && (!answer.ValidSession(id) || id == "new") {
		err = noConversation(id)
	}
	return id, err
}

// Bounds of metadata; those of OpenAI.
const (
	maxLabels     = 16
	maxLabelKey   = 64
	maxLabelValue = 512
)

// readMetadata reads labels.
func readMetadata(body []byte, at jsonscan.Member) (map[string]string, error) {
	if at.Kind != jsonscan.Object {
		return nil, fault.InvalidField("metadata", "want an object of strings")
	}
	labels := map[string]string{}
	var failed error
	err := jsonscan.ForEachMember(body, at.Value, func(m jsonscan.Member) bool {
		key := string(m.AppendName(nil, body))
		value, err := m.Text(body)
		switch {
		case err != nil:
			failed = fault.InvalidField("metadata", "every value must be a string")
		case key == "" || utf8.RuneCountInString(key) > maxLabelKey:
			failed = fault.InvalidField("metadata", fmt.Sprintf("a key must have 1 to %d characters", maxLabelKey))
		case utf8.RuneCountInString(value) > maxLabelValue:
			failed = fault.InvalidField("metadata", fmt.Sprintf("a value must have at most %d characters", maxLabelValue))
		case strings.HasPrefix(key, labelPrefix):
			failed = fault.InvalidField("metadata", "keys that begin with "+labelPrefix+" are the mesh's own")
		}
		labels[key] = value
		return failed == nil
	})
	switch {
	case failed != nil:
		return nil, failed
	case err != nil:
		return nil, fault.InvalidField("metadata", "cannot be read")
	case len(labels) > maxLabels:
		return nil, fault.InvalidField("metadata", fmt.Sprintf("has %d keys; at most %d are allowed", len(labels), maxLabels))
	}
	return labels, nil
}

// strip is the body without what the face sees to itself. input, where it is
// not nil, takes the place of the input.
func (m *members) strip(input []byte, chained bool) ([]byte, error) {
	var edits []jsonscan.Edit
	for _, i := range []int{atStore, atBackground, atMetadata, atStreamOptions} {
		edits = append(edits, jsonscan.Edit{At: m.found[i]})
	}
	if !chained { // A turn with a history need have no input of its own.
		edits = append(edits, jsonscan.Edit{At: m.found[atPrevious]}, jsonscan.Edit{At: m.found[atConversation]})
	}
	if truncation := m.found[atTruncation]; truncation.Kind == jsonscan.Null || string(truncation.Raw(m.body)) == `"disabled"` {
		edits = append(edits, jsonscan.Edit{At: truncation})
	}
	if input != nil {
		edits = append(edits, jsonscan.Edit{At: m.found[atInput], Value: input})
	}
	out, err := jsonscan.Splice(nil, m.body, edits...)
	if err != nil {
		return nil, fault.Internal(err)
	}
	return out, nil
}
