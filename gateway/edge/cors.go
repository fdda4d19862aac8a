package edge

import (
	"net/http"
	"strings"
)

// Values of CORS headers. Shared between requests: nobody may change them.
var (
	varyOrigin    = []string{"Origin"}
	allowMethods  = []string{"GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS"}
	maxAge        = []string{"43200"}
	trueValue     = []string{"true"}
	exposeHeaders = []string{"X-Request-Id, Request-Id, X-RateLimit-Limit, X-RateLimit-Remaining, X-RateLimit-Reset, Retry-After, " +
		"X-Gptmesh-Session, X-Gptmesh-Request, X-Gptmesh-Response, X-Gptmesh-Model, X-Gptmesh-Provider, X-Gptmesh-Target, X-Gptmesh-Attempts, " +
		"X-Gptmesh-Dropped, X-Gptmesh-Cached, X-Gptmesh-Guard, X-Gptmesh-Version"}
)

// allowOrigin lets a page of origin read the answer.
func allowOrigin(h http.Header, origin string) {
	h["Access-Control-Allow-Origin"] = []string{origin}
	h["Access-Control-Expose-Headers"] = exposeHeaders
	h["Vary"] = varyOrigin
}

// preflight answers a browser that asks before it calls. The list of headers is
// echoed: "*" would not cover Authorization, and SDKs send x-stainless-* ones
// that no fixed list keeps up with.
func preflight(w http.ResponseWriter, r *http.Request, allowed bool) int {
	h := w.Header()
	h["Vary"] = varyOrigin
	if !allowed {
		w.WriteHeader(http.StatusForbidden)
		return http.StatusForbidden
	}
	h["Access-Control-Allow-Methods"] = allowMethods
	h["Access-Control-Max-Age"] = maxAge
	if asked := strings.Join(r.Header["Access-Control-Request-Headers"], ", "); headerList(asked) {
		h["Access-Control-Allow-Headers"] = []string{asked}
	}
	if first(r.Header, "Access-Control-Request-Private-Network") == "true" {
		h["Access-Control-Allow-Private-Network"] = trueValue
	}
	w.WriteHeader(http.StatusNoContent)
	return http.StatusNoContent
}

// headerList says whether s is a list of header names of sane length.
func headerList(s string) bool {
	if s == "" || len(s) > 4096 {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '-', c == '_', c == ',', c == ' ', c == '.':
		default:
			return false
		}
	}
	return true
}
