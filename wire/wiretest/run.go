package wiretest

import (
	"testing"

	"github.com/gptmesh/gptmesh/wire"
)

// Run checks a codec with all fixtures.
func Run(t *testing.T, codec wire.Codec, fixtures Fixtures) {
	t.Helper()
	fixtures.each(t, "turns", "*.json", func(t *testing.T, stem string, data []byte) { checkTurn(t, codec, fixtures, stem, data) })
	for _, ext := range []string{"*.sse", "*.ndjson"} {
		fixtures.each(t, "streams", ext, func(t *testing.T, stem string, data []byte) { checkStream(t, codec, fixtures, stem, data) })
	}
	fixtures.each(t, "answers", "*.json", func(t *testing.T, stem string, data []byte) { checkAnswer(t, codec, fixtures, stem, data) })
}
