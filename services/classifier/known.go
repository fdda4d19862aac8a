package classifier

import (
	"hash/maphash"
	"sync/atomic"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
)

// knownTexts is of how many texts it is known at the most what was said of them: those
// of some hundred conversations, in about a megabyte.
const knownTexts = 1 << 12

// known is what guard heads said of texts, since each turn of a conversation says again
// what was said before. A text is known by its hash, which nobody outside the process
// can foresee; of those whose hashes share a place the last one is known. The zero value
// is not ready. It is safe for concurrent use.
type known struct {
	seed  maphash.Seed
	texts [knownTexts]atomic.Pointer[screened]
}

// screened is what was said of one text. Nobody changes it.
type screened struct {
	hash uint64
	size int
	risk *classifierv1.Risk
}

func newKnown() *known { return &known{seed: maphash.MakeSeed()} }

// of returns what was said of a text, nil where that is not known, and the hash that
// keep takes. It may be asked of nil, which knows nothing.
func (k *known) of(text string) (*classifierv1.Risk, uint64) {
	if k == nil {
		return nil, 0
	}
	hash := maphash.String(k.seed, text)
	if v := k.texts[hash%knownTexts].Load(); v != nil && v.hash == hash && v.size == len(text) {
		return v.risk, hash
	}
	return nil, hash
}

// keep remembers what was said of a text, which nobody may change any more.
func (k *known) keep(text string, hash uint64, risk *classifierv1.Risk) {
	if k != nil {
		k.texts[hash%knownTexts].Store(&screened{hash: hash, size: len(text), risk: risk})
	}
}
