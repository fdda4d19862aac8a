package edge

import (
	"net/http"
	"strings"

	"github.com/gptmesh/gptmesh/pkg/auth"
	"github.com/gptmesh/gptmesh/pkg/callctx"
)

// keyPrefix is where a key stands in a path.
const keyPrefix = "/k/"

// takeKey takes a key off a path: "/k/KEY/v1/models" is "/v1/models" and KEY.
func takeKey(path string) (rest, key string) {
	tail, ok := strings.CutPrefix(path, keyPrefix)
	if !ok {
		return path, ""
	}
	key, rest, _ = strings.Cut(tail, "/")
	return "/" + rest, key
}

// authenticate says who shows a good key. Where several are shown, the first
// good one counts; where none is good, the error is that of the first shown.
func authenticate(a *auth.Authenticator, pathKey string, h http.Header) (callctx.Principal, error) {
	if a.Open() {
		return a.Authenticate("")
	}
	var failed error
	for _, key := range [...]string{pathKey, auth.Bearer(first(h, "Authorization")), first(h, "Api-Key"), first(h, "X-Api-Key")} {
		if key == "" {
			continue
		}
		principal, err := a.Authenticate(key)
		if err == nil {
			return principal, nil
		}
		if failed == nil {
			failed = err
		}
	}
	if failed == nil {
		return a.Authenticate("")
	}
	return callctx.Principal{}, failed
}

// first is the first value of a header. key must be canonical.
func first(h http.Header, key string) string {
	if values := h[key]; len(values) > 0 {
		return values[0]
	}
	return ""
}
