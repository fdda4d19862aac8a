// Package dropped names the members of a turn that a provider's dialect cannot
// carry: the way to each, in the words of the dialect that the client spoke. A
// native client, which speaks none, gets the way through the typed turn.
package dropped

import (
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	"github.com/gptmesh/gptmesh/wire/internal/jsonbody"
)

// maxNames bounds how many members are named.
const maxNames = 64

// List gathers names, each once, in the order in which they were added.
type List struct {
	// Client is the dialect that the client spoke.
	Client conversationv1.Wire
	// Names are the names so far.
	Names []string
}

// Add adds a field of the typed turn.
func (l *List) Add(field Field) {
	name := string(field)
	if spelled := spellings[field].of(l.Client); spelled != "" {
		name = spelled
	}
	l.add(name)
}

// Below adds a member that no field holds, by its name at a place.
func (l *List) Below(place Place, name string) {
	if above := places[place].of(l.Client); above != "" {
		name = above + "." + name
	}
	l.add(name)
}

// Extra adds the members of a JSON object that stands at a place. What is no
// object has none.
func (l *List) Extra(place Place, object string) {
	if object == "" {
		return
	}
	_ = jsonbody.Whole([]byte(object)).Members(func(name string, _ *jsonbody.Value) error {
		l.Below(place, name)
		return nil
	})
}

func (l *List) add(name string) {
	if len(l.Names) < maxNames && !slices.Contains(l.Names, name) {
		l.Names = append(l.Names, name)
	}
}

// OfReasoning is the field by which a turn asks for reasoning.
func OfReasoning(r *conversationv1.ReasoningOptions) Field {
	if r.GetEffort() == "" {
		return Thinking
	}
	return Effort
}
