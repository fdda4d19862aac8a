package anthropic

import "github.com/gptmesh/gptmesh/wire/internal/jsonbody"

// writer writes JSON, and what the dialect has in several places.
type writer struct{ jsonbody.Writer }
