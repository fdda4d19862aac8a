package transport

import (
	"errors"
	"maps"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/wire"
)

// translator makes events of a stream's data, with the raw half or without.
type translator interface {
	translate(dst []*conversationv1.Event, data []byte) (pass []byte, count int, events []*conversationv1.Event, err error)
	end(dst []*conversationv1.Event) ([]*conversationv1.Event, error)
	// release gives the memory back: the translator must not be used any more.
	release()
}

type rawTranslator struct{ scanner wire.RawScanner }

func (t *rawTranslator) translate(dst []*conversationv1.Event, data []byte) ([]byte, int, []*conversationv1.Event, error) {
	return t.scanner.Scan(data, dst)
}

func (t *rawTranslator) end(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	return t.scanner.End(dst)
}

func (t *rawTranslator) release() { wire.Release(t.scanner) }

type typedTranslator struct{ decoder wire.StreamDecoder }

func (t *typedTranslator) translate(dst []*conversationv1.Event, data []byte) ([]byte, int, []*conversationv1.Event, error) {
	events, err := t.decoder.Decode(dst, data)
	return nil, 0, events, err
}

func (t *typedTranslator) end(dst []*conversationv1.Event) ([]*conversationv1.Event, error) {
	return t.decoder.End(dst)
}

func (t *typedTranslator) release() { wire.Release(t.decoder) }

// codecError makes a codec's error one of the provider's, with its name.
func (c *Client) codecError(err error) error {
	f := (*fault.Fault)(nil)
	if !errors.As(err, &f) {
		return provider.Protocol(c.cfg.Name, err)
	}
	if f.Reason == meshv1.ErrorReason_ERROR_REASON_STREAM_TRUNCATED {
		return provider.Truncated(c.cfg.Name, err)
	}
	named := *f
	named.Metadata = maps.Clone(f.Metadata)
	if named.Metadata == nil {
		named.Metadata = map[string]string{}
	}
	named.Metadata["provider"] = c.cfg.Name
	return &provider.Error{Fault: &named}
}

// fillFailure names the provider in a failure that its stream told, and lets
// nothing out that clients must not see.
func (c *Client) fillFailure(failure *conversationv1.Failure) {
	failure.Message = Clean(failure.GetMessage(), c.cfg.Secrets...)
	if failure.Metadata == nil {
		failure.Metadata = map[string]string{}
	}
	failure.Metadata["provider"] = c.cfg.Name
}
