package openai

import (
	"bytes"
	"errors"
	"unicode/utf8"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/pkg/jsonscan"
)

// The members of a chunk, and of a whole answer, by position.
const (
	atID = iota
	atAnswerModel
	atCreated
	atChoices
	atUsage
	atError
	atObject
	atXGroq
	chunkMembers
)

var chunkKeys = jsonscan.NewKeys("id", "model", "created", "choices", "usage", "error", "object", "x_groq")

// chunk is one JSON body of an answer.
type chunk struct {
	body    []byte
	members [chunkMembers]jsonscan.Member
}

// scan finds the members. Bytes that are no UTF-8 become U+FFFD: some servers
// cut characters in two.
func (c *chunk) scan(data []byte) error {
	c.body = data
	_, err := jsonscan.Scan(data, chunkKeys, c.members[:])
	if errors.Is(err, jsonscan.ErrSyntax) && !utf8.Valid(data) {
		c.body = bytes.ToValidUTF8(data, []byte("\uFFFD"))
		_, err = jsonscan.Scan(c.body, chunkKeys, c.members[:])
	}
	if err != nil {
		return protocol("an event is not a JSON object", err)
	}
	return nil
}

func (c *chunk) given(i int) bool {
	kind := c.members[i].Kind
	return kind != jsonscan.Absent && kind != jsonscan.Null
}

// text is the string member at position i, "" where it is none.
func (c *chunk) text(i int) string {
	if c.members[i].Kind != jsonscan.String {
		return ""
	}
	s, err := c.members[i].Text(c.body)
	if err != nil {
		return ""
	}
	return s
}

// fails says whether the chunk tells of an error.
func (c *chunk) fails() bool {
	return c.given(atError) || c.members[atObject].Kind == jsonscan.String && string(c.members[atObject].Raw(c.body)) == `"error"`
}

// named says whether the chunk has an id.
func (c *chunk) named() bool {
	return c.members[atID].Kind == jsonscan.String && len(c.members[atID].Raw(c.body)) > len(`""`)
}

// hasChoices says whether there is at least one choice.
func (c *chunk) hasChoices() bool {
	if c.members[atChoices].Kind != jsonscan.Array {
		return false
	}
	inside := c.members[atChoices].Raw(c.body)
	return len(bytes.TrimSpace(inside[1:len(inside)-1])) > 0
}

// begins says whether an answer begins with the chunk at the latest. Azure
// sends one before it that holds nothing of the answer.
func (c *chunk) begins() bool {
	return c.named() || c.hasChoices() || c.given(atUsage) || c.fails()
}

// started is the event that begins the answer; where is room for it, or nil.
func (c *chunk) started(where *eventRoom) (*conversationv1.Event, *conversationv1.Started) {
	made := where.begin()
	started := &made.started
	started.Model, started.ProviderResponseId = c.text(atAnswerModel), c.text(atID)
	if created, err := c.members[atCreated].Float64(c.body); err == nil && created > 0 && created < 1<<40 {
		made.created.Seconds = int64(created)
		started.CreateTime = &made.created
	}
	return &made.event, started
}

// findUsage finds the count of tokens, also where Groq and Moonshot put it.
func (c *chunk) findUsage() *conversationv1.Usage {
	if c.members[atUsage].Kind == jsonscan.Object {
		return decodeUsage(c.body, c.members[atUsage])
	}
	if c.members[atXGroq].Kind == jsonscan.Object {
		return usageWithin(c.body, c.members[atXGroq])
	}
	return nil
}
