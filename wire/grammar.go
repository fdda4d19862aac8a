package wire

import (
	"fmt"

	"google.golang.org/grpc/codes"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
)

// MaxChoices is the number of choices that an answer may have: as many as a
// turn may ask for.
const MaxChoices = 128

// Grammar is the order that the events of an answer obey, as Chunk states it:
//
//	started (delta | choice_finished | usage | continued)* (finished | failed)
//
// Its zero value is ready for the first event of an answer. It allocates
// nothing for answers with one choice. Not safe for concurrent use.
type Grammar struct {
	started bool
	ended   bool
	first   choiceOrder
	others  []choiceOrder // choices from 1
}

// choiceOrder is how far one choice is.
type choiceOrder struct {
	finished bool
	calls    int32 // tool calls begun
}

// Accept takes the next event. An event out of order is refused with a fault,
// PROVIDER_PROTOCOL, that says which rule it breaks; the state is then as
// before.
func (g *Grammar) Accept(event *conversationv1.Event) error {
	switch {
	case g.ended:
		return breach("an event after the end")
	case event.GetStarted() != nil:
		if g.started {
			return breach("a second start")
		}
		g.started = true
		return nil
	case !g.started:
		return breach("an event before the start")
	}
	switch kind := event.GetKind().(type) {
	case *conversationv1.Event_Text:
		_, err := g.open(kind.Text.GetChoice())
		return err
	case *conversationv1.Event_Refusal:
		_, err := g.open(kind.Refusal.GetChoice())
		return err
	case *conversationv1.Event_Reasoning:
		_, err := g.open(kind.Reasoning.GetChoice())
		return err
	case *conversationv1.Event_ToolCall:
		return g.toolCall(kind.ToolCall)
	case *conversationv1.Event_ChoiceFinished:
		choice, err := g.open(kind.ChoiceFinished.GetChoice())
		if err != nil {
			return err
		}
		choice.finished = true
		return nil
	case *conversationv1.Event_Usage, *conversationv1.Event_Continued:
		return nil
	case *conversationv1.Event_Finished, *conversationv1.Event_Failed:
		g.ended = true
		return nil
	}
	return breach("an event of no known kind")
}

// Started says whether the start was accepted.
func (g *Grammar) Started() bool { return g.started }

// Ended says whether the terminal event was accepted.
func (g *Grammar) Ended() bool { return g.ended }

func (g *Grammar) toolCall(delta *conversationv1.ToolCallDelta) error {
	choice, err := g.open(delta.GetChoice())
	if err != nil {
		return err
	}
	named, identified := delta.GetName() != "", delta.GetId() != ""
	switch index := delta.GetIndex(); {
	case index < 0 || index > choice.calls:
		return breach(fmt.Sprintf("tool call %d where %d is next", index, choice.calls))
	case index == choice.calls && !(named && identified):
		return breach(fmt.Sprintf("tool call %d begins without id and name", index))
	case index < choice.calls && (named || identified):
		return breach(fmt.Sprintf("tool call %d has its id or name twice", index))
	case index == choice.calls:
		choice.calls++
	}
	return nil
}

// open returns the state of a choice that may go on.
func (g *Grammar) open(index int32) (*choiceOrder, error) {
	choice := &g.first
	switch {
	case index < 0 || index >= MaxChoices:
		return nil, breach(fmt.Sprintf("choice %d", index))
	case index > 0:
		for int(index) > len(g.others) {
			g.others = append(g.others, choiceOrder{})
		}
		choice = &g.others[index-1]
	}
	if choice.finished {
		return nil, breach(fmt.Sprintf("choice %d goes on after its end", index))
	}
	return choice, nil
}

func breach(rule string) error {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_PROVIDER_PROTOCOL,
		"the answer breaks the order of events: "+rule)
}
