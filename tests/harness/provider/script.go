package provider

import (
	"strings"
	"time"
)

// Script is what a model does when it is asked.
type Script struct {
	// Steps are done in order. Unless the last one ends the answer, it ends
	// well.
	Steps []Step
	// Split cuts what is written into pieces of this many bytes, each sent on
	// its own. 0 sends each event whole.
	Split int
	// FinishReason is the reason in the words of OpenAI; empty means "stop", or
	// "tool_calls" where there are any.
	FinishReason string
	// Usage is what is counted at the end.
	Usage Usage
}

// Usage is a count of tokens. Zero means 9 and the number of text steps.
type Usage struct{ Input, Output int }

// Step is one thing that a model does.
type Step struct {
	kind kind

	text       string
	tool       Tool
	wait       <-chan struct{}
	pause      time.Duration
	status     int
	retryAfter string
	code       string
}

type kind int

const (
	sayText kind = iota
	sayReasoning
	callTool
	waitFor
	pauseFor
	refuse
	fail
	truncate
	stall
	reset
	garbage
)

// Tool is a call that the model asks for.
type Tool struct {
	ID, Name string
	// Arguments are the JSON in the pieces in which it is streamed.
	Arguments []string
}

func (t Tool) json() string { return strings.Join(t.Arguments, "") }

// Text says a piece of the answer.
func Text(text string) Step { return Step{kind: sayText, text: text} }

// Reasoning thinks a piece aloud.
func Reasoning(text string) Step { return Step{kind: sayReasoning, text: text} }

// UseTool asks for a tool.
func UseTool(id, name string, arguments ...string) Step {
	return Step{kind: callTool, tool: Tool{ID: id, Name: name, Arguments: arguments}}
}

// Wait goes on when c is closed or gives a value, or the client leaves.
func Wait(c <-chan struct{}) Step { return Step{kind: waitFor, wait: c} }

// Pause goes on after a while.
func Pause(d time.Duration) Step { return Step{kind: pauseFor, pause: d} }

// Refuse answers with an HTTP status and the wire's error body, code being
// OpenAI's word for it. It must come before anything is said.
func Refuse(status int, code string) Step { return Step{kind: refuse, status: status, code: code} }

// RefuseFor is Refuse with a Retry-After header.
func RefuseFor(status int, code, retryAfter string) Step {
	return Step{kind: refuse, status: status, code: code, retryAfter: retryAfter}
}

// Fail tells of an error in the middle of a stream, as the wire does, and ends
// it.
func Fail(message string) Step { return Step{kind: fail, text: message} }

// Truncate closes the connection without an end, as a proxy does whose server
// died.
func Truncate() Step { return Step{kind: truncate} }

// Reset ends the connection as a crash of the provider's machine does.
func Reset() Step { return Step{kind: reset} }

// Garbage writes what is no word of the wire, and goes on.
func Garbage(text string) Step { return Step{kind: garbage, text: text} }

// Stall says nothing more until the client leaves.
func Stall() Step { return Step{kind: stall} }

// Say is a whole answer, a word at a time.
func Say(text string) Script {
	var s Script
	for _, word := range strings.SplitAfter(text, " ") {
		s.Steps = append(s.Steps, Text(word))
	}
	return s
}

// Then adds steps at the end.
func (s Script) Then(steps ...Step) Script {
	s.Steps = append(append([]Step(nil), s.Steps...), steps...)
	return s
}

func (s Script) usage() Usage {
	u := s.Usage
	if u == (Usage{}) {
		u.Input = 9
		for _, step := range s.Steps {
			if step.kind == sayText || step.kind == sayReasoning || step.kind == callTool {
				u.Output++
			}
		}
	}
	return u
}

func (s Script) finishReason() string {
	if s.FinishReason != "" {
		return s.FinishReason
	}
	for _, step := range s.Steps {
		if step.kind == callTool {
			return "tool_calls"
		}
	}
	return "stop"
}
