package anthropic

import (
	"fmt"
	"net/http"
	"strings"

	"github.com/gptmesh/gptmesh/pkg/fault"
)

// handedOn are the headers of the dialect that say how a body is meant, as
// requests and providers have them.
var handedOn = [...]struct{ key, name string }{
	{"Anthropic-Beta", "anthropic-beta"},
	{"Anthropic-Version", "anthropic-version"},
}

// maxHandedOn bounds the length of each.
const maxHandedOn = 4096

// dialectHeaders are the client's headers that a provider of the same dialect
// is given; nil where there are none.
func dialectHeaders(h http.Header) (map[string]string, error) {
	var out map[string]string
	for _, header := range handedOn {
		value := strings.Join(h[header.key], ",")
		if value == "" {
			continue
		}
		if len(value) > maxHandedOn || !printable(value) {
			return nil, fault.InvalidField(header.name, fmt.Sprintf("it must have at most %d printable characters", maxHandedOn))
		}
		if out == nil {
			out = make(map[string]string, len(handedOn))
		}
		out[header.name] = value
	}
	return out, nil
}

func printable(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}
