package gpttest_test

import (
	"context"
	"errors"
	"testing"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/gpttest"
	"github.com/gptmesh/gptmesh/wire"
)

func TestScripts(t *testing.T) {
	t.Parallel()
	fake := &gpttest.Fake{}
	gate := make(chan struct{})
	refused := fault.InvalidField("turn.model", "no")
	fake.Push(
		gpttest.Script{Chunks: gpttest.Answer("a", "b"), Gate: gate},
		gpttest.Script{Err: refused},
		gpttest.Script{Chunks: gpttest.Beginning("a"), Hang: true},
	)
	caller := gptv1.LocalGPTService(fake, nil)
	run := func(ctx context.Context, each func()) (texts string, err error) {
		var grammar wire.Grammar
		err = caller.Generate(ctx, &gptv1.GenerateRequest{Turn: &conversationv1.Turn{}}, func(resp *gptv1.GenerateResponse) error {
			for _, event := range resp.GetChunk().GetEvents() {
				if err := grammar.Accept(event); err != nil {
					return err
				}
				texts += event.GetText().GetText()
			}
			each()
			return nil
		})
		return texts, err
	}
	go func() {
		gate <- struct{}{}
		close(gate)
	}()
	if texts, err := run(t.Context(), func() {}); texts != "ab" || err != nil {
		t.Errorf("%q %v", texts, err)
	}
	if _, err := run(t.Context(), func() {}); fault.From(err).Field() != "turn.model" {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	if _, err := run(ctx, cancel); err == nil {
		t.Error("a hanging call returned nil")
	}
	if err := <-fake.Left(); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if texts, err := run(t.Context(), func() {}); texts != "ok" || err != nil || len(fake.Calls()) != 4 {
		t.Errorf("%q %v", texts, err)
	}
}
