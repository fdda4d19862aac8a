package responses

import "github.com/gptmesh/gptmesh/wire/internal/jsonbody"

// writer writes what is said in this dialect.
type writer struct{ jsonbody.Writer }
