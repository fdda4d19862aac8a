package answer

import (
	"net/http"
	"strings"
	"testing"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
)

func TestEndOfARawStream(t *testing.T) {
	t.Parallel()
	end := []byte("data: [DONE]\n\n")
	for data, want := range map[string]bool{
		"data: [DONE]\n\n":                      true,
		"data:[DONE]\r\n\r\n":                   true,
		"data: {}\n\ndata: [DONE]\n\n":          true,
		"data: [DONE]":                          true,
		"data: {\"text\":\"data: [DONE]\"}\n\n": false,
		"data: {\"text\":\"\\ndata: [DONE]\n\n": false,
		": [DONE]\n\n":                          false,
		"data: [DONE]\n\ndata: {}\n\n":          false,
		"":                                      false,
	} {
		if got := endsWith([]byte(data), end); got != want {
			t.Errorf("%q: %v", data, got)
		}
	}
}

func TestHeaderValuesAreClean(t *testing.T) {
	t.Parallel()
	h := http.Header{}
	var a answerHeaders
	a.set(h, headerModel, "a\r\nSet-Cookie: x\x00")
	if got := h.Get(headerModel); got != "aSet-Cookie: x" {
		t.Errorf("%q", got)
	}
	for _, v := range strings.Fields("a b c d e f g h") { // more than there is room for
		a.set(h, headerProvider, v)
	}
	if got := h.Get(headerProvider); got != "h" || h.Get(headerModel) != "aSet-Cookie: x" {
		t.Errorf("%q", got)
	}
}

func FuzzReadHeaders(f *testing.F) {
	f.Add("new", "u", "k", "drain", "60", "reasoning=strip,format=json")
	f.Add("..", "é", "\x00", "", "00", ",")
	f.Fuzz(func(t *testing.T, session, user, key, disconnect, cache, post string) {
		h := http.Header{headerSession: {session}, headerUser: {user}, headerIdempotency: {key}, headerOnDisconnect: {disconnect}, headerCache: {cache}, headerPost: {post}}
		request := &requestv1.SubmitRequest{}
		if ReadHeaders(h, request) != nil {
			return
		}
		if len(request.GetSessionId()) > maxSession || len(request.GetUserId()) > maxUser || len(request.GetIdempotencyKey()) > maxIdempotency ||
			request.GetCache().GetTtl().GetSeconds() > maxCache {
			t.Fatalf("%v", request)
		}
	})
}
