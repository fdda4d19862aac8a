package tokens

import (
	"embed"
	"encoding/binary"
	"errors"
	"sync"

	"github.com/klauspost/compress/zstd"
)

// OpenAI's vocabularies by tiktoken's names for them.
const (
	cl100kBase = "cl100k_base"
	o200kBase  = "o200k_base"
)

//go:generate go run ./vocabulary
//go:embed cl100k_base.zst o200k_base.zst
var vocabularies embed.FS

// encoding is one vocabulary, which never changes, and what was counted with it.
type encoding struct {
	ranks   map[string]uint32 // of tokens; the keys share one text
	split   func(text string) int
	counted *counted
}

// load reads a vocabulary.
func load(name string) (*encoding, error) {
	packed, err := vocabularies.ReadFile(name + ".zst")
	if err != nil {
		return nil, err
	}
	reader, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	list, err := reader.DecodeAll(packed, nil)
	if err != nil {
		return nil, err
	}
	e := &encoding{ranks: make(map[string]uint32, len(list)/6), split: splitCL100K, counted: newCounted()}
	if name == o200kBase {
		e.split = splitO200K
	}
	text := string(list)
	for at := 0; at < len(text); {
		size, n := binary.Uvarint(list[at:])
		end := at + n + int(size)
		if n <= 0 || end > len(text) {
			return nil, errors.New("tokens: a vocabulary is broken")
		}
		e.ranks[text[at+n:end]] = uint32(len(e.ranks))
		at = end
	}
	return e, nil
}

// count counts the tokens of a text.
func (e *encoding) count(text string) (sum int) {
	m := mergers.Get().(*merger)
	defer mergers.Put(m)
	for len(text) > 0 {
		n := e.split(text)
		if _, whole := e.ranks[text[:n]]; whole {
			sum++
		} else {
			sum += m.count(e.ranks, text[:n])
		}
		text = text[n:]
	}
	return sum
}

var mergers = sync.Pool{New: func() any { return new(merger) }}
