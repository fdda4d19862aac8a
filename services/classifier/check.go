package classifier

import (
	"fmt"
	"unicode/utf8"

	classifierv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/classifier/v1"
)

// The bounds of the contract, in characters (code points) and entries. They are
// checked here as well as at the edge, since items of a batch are checked only
// here.
const (
	minText    = 10
	maxText    = 10_000
	maxContext = 10_000
	maxFiles   = 10_000
	maxItems   = 1000

	minSamples = 100
	maxSamples = 100_000
)

// check returns the field of a request that breaks its rule and how, or two
// empty strings.
func check(req *classifierv1.ClassifyRequest) (field, problem string) {
	if n := utf8.RuneCountInString(req.GetText()); n < minText || n > maxText {
		return "text", fmt.Sprintf("must have %d to %d characters, has %d", minText, maxText, n)
	}
	if n := utf8.RuneCountInString(req.GetContext()); n > maxContext {
		return "context", fmt.Sprintf("must have at most %d characters, has %d", maxContext, n)
	}
	if n := len(req.GetFilesChanged()); n > maxFiles {
		return "files_changed", fmt.Sprintf("must have at most %d entries, has %d", maxFiles, n)
	}
	return "", ""
}
