package wiretest

import (
	"testing"

	"github.com/gptmesh/gptmesh/wire"
)

func checkAnswer(t *testing.T, codec wire.Codec, fixtures Fixtures, stem string, body []byte) {
	events, err := codec.DecodeAnswer(body)
	if err != nil {
		t.Fatal(err)
	}
	var grammar wire.Grammar
	for _, event := range events {
		if err := grammar.Accept(event); err != nil {
			t.Fatal(err)
		}
	}
	if !grammar.Ended() {
		t.Error("the answer has no terminal event")
	}
	fixtures.golden(t, stem+".events.golden", ShowEvents(t, events))
	checkClient(t, codec, fixtures, stem, events, Ending{})
}
