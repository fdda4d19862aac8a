// Package window chooses the part of a conversation that fits a budget of
// tokens and that a provider will take: a tool result needs its call, and a
// call that the conversation has gone past needs its results.
package window

import (
	"iter"
	"math"
	"slices"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
)

// Entry is a message and what it costs.
type Entry struct {
	Message *conversationv1.Message
	Tokens  int64
}

// Budget is what is left to spend.
type Budget struct{ left int64 }

// NewBudget returns a budget; 0 means no limit.
func NewBudget(tokens int64) *Budget {
	if tokens <= 0 {
		tokens = math.MaxInt64
	}
	return &Budget{left: tokens}
}

// Oldest takes entries from the oldest on, until the first that does not fit.
// It is for system messages, of which the first is the one that matters.
func Oldest(budget *Budget, oldestFirst iter.Seq2[Entry, error]) ([]Entry, error) {
	var chosen []Entry
	for entry, err := range oldestFirst {
		if err != nil {
			return nil, err
		}
		if entry.Tokens > budget.left {
			break
		}
		budget.left -= entry.Tokens
		chosen = append(chosen, entry)
	}
	return chosen, nil
}

// Newest takes entries from the newest on, until the first that does not fit,
// and returns them oldest first. It reads no further than it must.
//
// An assistant message with tool calls and the tool messages that follow it are
// taken together or not at all. Left out, whatever the budget, are: tool
// results whose call does not stand before them, and calls of which some have
// no result although the conversation went on. Calls at the very end are kept:
// their results are still to come.
func Newest(budget *Budget, newestFirst iter.Seq2[Entry, error]) ([]Entry, error) {
	var chosen []Entry // newest first
	var results group
	atEnd := true
	for entry, err := range newestFirst {
		if err != nil {
			return nil, err
		}
		if entry.Message.GetRole() == conversationv1.Role_ROLE_TOOL {
			results.add(entry)
			if results.tokens > budget.left {
				break
			}
			continue
		}
		calls := toolCalls(entry.Message)
		if len(calls) > 0 {
			complete := results.keep(calls)
			if !complete && !atEnd {
				results, atEnd = group{}, false
				continue
			}
		} else {
			results = group{}
		}
		atEnd = false
		if entry.Tokens > budget.left-results.tokens {
			break
		}
		budget.left -= entry.Tokens + results.tokens
		chosen = append(append(chosen, results.entries...), entry)
		results = group{}
	}
	slices.Reverse(chosen)
	return chosen, nil
}

// group is tool messages that wait for the message with their calls.
type group struct {
	entries []Entry // newest first
	tokens  int64
}

func (g *group) add(entry Entry) {
	g.entries = append(g.entries, entry)
	g.tokens += entry.Tokens
}

// keep drops the entries with a result that answers none of the calls, and
// says whether every call is answered. A result without an id answers any call
// that no other does.
func (g *group) keep(calls []string) bool {
	open := make(map[string]bool, len(calls))
	for _, id := range calls {
		open[id] = true
	}
	named, unnamed := map[string]bool{}, 0
	kept := group{}
	for _, entry := range g.entries {
		if !answers(entry.Message, open) {
			continue
		}
		kept.add(entry)
		for _, id := range resultIDs(entry.Message) {
			if id == "" {
				unnamed++
			} else {
				named[id] = true
			}
		}
	}
	*g = kept
	missing := 0
	for _, id := range calls {
		if id == "" || !named[id] {
			missing++
		}
	}
	return missing <= unnamed
}

// answers says whether every result of a tool message has its call.
func answers(m *conversationv1.Message, calls map[string]bool) bool {
	for _, id := range resultIDs(m) {
		if id != "" && !calls[id] {
			return false
		}
	}
	return true
}

func toolCalls(m *conversationv1.Message) (ids []string) {
	if m.GetRole() != conversationv1.Role_ROLE_ASSISTANT {
		return nil
	}
	for _, part := range m.GetParts() {
		if call := part.GetToolCall(); call != nil {
			ids = append(ids, call.GetId())
		}
	}
	return ids
}

func resultIDs(m *conversationv1.Message) (ids []string) {
	for _, part := range m.GetParts() {
		if result := part.GetToolResult(); result != nil {
			ids = append(ids, result.GetToolCallId())
		}
	}
	return ids
}
