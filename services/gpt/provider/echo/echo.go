// Package echo is the built-in provider that makes no real answers: it says
// what the user said. It needs no key and no network, so a newcomer sees the
// whole path at once, and tests and load find every behaviour of a provider in
// it.
//
// How it behaves is written behind the model's name, as a query, so that every
// face can ask for it without code:
//
//	echo?tokens=200&delay=20ms            200 tokens, one each 20 ms
//	echo?first=2s                         a long wait before the first token
//	echo?tool=get_weather&args={"city":"Paris"}
//	echo?tool=a,b                         two tool calls in one answer
//	echo?reasoning=5                      thinks five tokens first
//	echo?fail=429&retry_after=2s          refused before it begins
//	echo?fail=after&after=10              fails after ten tokens
//
// Options gives them all. The same turn always gets the same answer.
package echo

import (
	"context"
	"strconv"
	"strings"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"google.golang.org/protobuf/types/known/timestamppb"
)

// Model is the name of its one model, before any options.
const Model = "echo"

// Provider is the echo. Use New.
type Provider struct{ now func() time.Time }

var _ provider.Provider = (*Provider)(nil)

// New returns the echo. Nil now means time.Now.
func New(now func() time.Time) *Provider {
	if now == nil {
		now = time.Now
	}
	return &Provider{now: now}
}

// Names says that a model's name means the echo, with options or without.
func Names(model string) bool {
	name, _, _ := strings.Cut(model, "?")
	return name == Model
}

// Info implements provider.Provider.
func (p *Provider) Info() provider.Info {
	return provider.Info{Name: Model, Kind: Model, Test: true}
}

// Models implements provider.Provider.
func (p *Provider) Models(context.Context) ([]*gptv1.Model, error) {
	return []*gptv1.Model{{
		ProviderModel: Model, DisplayName: "Echo (test model, repeats what you say)", OwnedBy: "gptmesh", TestModel: true,
		ContextLength: 131072, MaxOutputTokens: 131072, EmbeddingLength: defaultDimensions,
		Capabilities: []gptv1.Capability{
			gptv1.Capability_CAPABILITY_CHAT, gptv1.Capability_CAPABILITY_TOOLS, gptv1.Capability_CAPABILITY_REASONING,
			gptv1.Capability_CAPABILITY_JSON_SCHEMA, gptv1.Capability_CAPABILITY_EMBEDDING,
		},
	}}, nil
}

// Generate implements provider.Provider. The turn must have its typed half.
func (p *Provider) Generate(ctx context.Context, call *provider.Call, sink provider.Sink) error {
	options, err := ParseOptions(call.Model)
	if err != nil {
		return err
	}
	if exchange := provider.ExchangeOf(ctx); exchange != nil {
		if err := exchange.Ready(); err != nil {
			return err
		}
	}
	a := &answer{ctx: ctx, options: options, turn: call.Turn, sink: sink, now: p.now}
	return a.run()
}

// answer is one answer under way.
type answer struct {
	ctx     context.Context
	options Options
	turn    *conversationv1.Turn
	sink    provider.Sink
	now     func() time.Time

	events []*conversationv1.Event
	made   int // tokens pushed or waiting in events
	fail   int // how many tokens come before the failure; -1 for none
}

func (a *answer) run() error {
	if err := a.wait(a.options.First); err != nil {
		return err
	}
	if err := a.options.refusal(); err != nil {
		return err
	}
	plan := a.plan()
	a.fail = a.options.failAfter(len(plan.tokens))
	if a.fail == 0 && a.options.Fail == FailStall {
		return a.stall()
	}
	a.add(&conversationv1.Event{Kind: &conversationv1.Event_Started{Started: &conversationv1.Started{
		Model: Model, Provider: Model, ProviderResponseId: "echo", CreateTime: timestamppb.New(a.now()),
	}}})
	for _, token := range plan.tokens {
		if a.made == a.fail {
			return a.breakOff()
		}
		if a.made > 0 && a.made%a.options.Chunk == 0 {
			if err := a.flush(); err != nil {
				return err
			}
			if err := a.wait(a.options.Delay); err != nil {
				return err
			}
		}
		a.add(token)
		a.made++
	}
	if a.fail >= 0 {
		return a.breakOff()
	}
	return a.finish(plan)
}

// finish ends an answer in good order.
func (a *answer) finish(plan plan) error {
	a.add(&conversationv1.Event{Kind: &conversationv1.Event_ChoiceFinished{ChoiceFinished: &conversationv1.ChoiceFinished{Reason: plan.reason}}})
	if !a.options.NoUsage {
		a.add(&conversationv1.Event{Kind: &conversationv1.Event_Usage{Usage: &conversationv1.Usage{
			InputTokens: int64(promptTokens(a.turn)), OutputTokens: int64(a.made), ReasoningTokens: int64(plan.reasoning),
			Source: conversationv1.UsageSource_USAGE_SOURCE_PROVIDER,
		}}})
	}
	a.add(&conversationv1.Event{Kind: &conversationv1.Event_Finished{Finished: &conversationv1.Finished{FinishTime: timestamppb.New(a.now())}}})
	return a.push()
}

// breakOff is how an answer fails in its middle.
func (a *answer) breakOff() error {
	switch a.options.Fail {
	case FailStall:
		if err := a.flush(); err != nil {
			return err
		}
		return a.stall()
	case FailTruncate:
		if err := a.flush(); err != nil {
			return err
		}
		return provider.Truncated(Model, nil)
	}
	a.add(&conversationv1.Event{Kind: &conversationv1.Event_Failed{Failed: failure()}})
	return a.push()
}

// stall is silent until the client or the room gives up.
func (a *answer) stall() error {
	<-a.ctx.Done()
	return context.Cause(a.ctx)
}

func (a *answer) add(event *conversationv1.Event) { a.events = append(a.events, event) }

// flush pushes what waits, if the client reads piece by piece.
func (a *answer) flush() error {
	if !a.turn.GetStream() {
		return nil
	}
	return a.push()
}

func (a *answer) push() error {
	if len(a.events) == 0 {
		return nil
	}
	if err := a.ctx.Err(); err != nil {
		return context.Cause(a.ctx)
	}
	events := a.events
	a.events = nil
	return a.sink(&conversationv1.Chunk{Events: events})
}

// wait pauses; it ends early when the context does.
func (a *answer) wait(d time.Duration) error {
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-a.ctx.Done():
		return context.Cause(a.ctx)
	}
}

// promptTokens counts the words of a turn.
func promptTokens(turn *conversationv1.Turn) int {
	n := 0
	for _, message := range turn.GetMessages() {
		for _, part := range message.GetParts() {
			n += len(strings.Fields(part.GetText()))
		}
	}
	return max(n, 1)
}

func itoa(n int) string { return strconv.Itoa(n) }
