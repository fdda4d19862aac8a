package rest

import (
	"testing"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
)

func TestRules(t *testing.T) {
	t.Parallel()
	all, err := loadRules()
	if err != nil {
		t.Fatal(err)
	}
	const gpt, api = meshv1.RateClass_RATE_CLASS_GPT, meshv1.RateClass_RATE_CLASS_API
	for _, c := range []struct {
		method, path string
		class        meshv1.RateClass
		allow        string
	}{
		{"POST", "/mesh/v1/requests", gpt, "GET, OPTIONS, POST"},
		{"POST", "/mesh/v1/requests:detached", gpt, "OPTIONS, POST"},
		{"GET", "/mesh/v1/requests", api, "GET, OPTIONS, POST"},
		{"POST", "/mesh/v1/embeddings", gpt, "OPTIONS, POST"},
		{"POST", "/mesh/v1/requests/req_1:cancel", api, "OPTIONS, POST"},
		{"GET", "/mesh/v1/models/a/b/c", api, "GET, OPTIONS"},
		{"PATCH", "/mesh/v1/sessions/ses_1", api, "DELETE, GET, OPTIONS, PATCH"},
		{"GET", "/mesh/v1/sessions/ses_1/messages", api, "GET, OPTIONS, POST"},
		{"GET", "/mesh/v1/events/consumers", api, "GET, OPTIONS"},
		{"GET", "/mesh/v1/sessions//messages", api, "OPTIONS"},
		{"GET", "/mesh/v1/nothing", api, "OPTIONS"},
	} {
		if class, allow := all.class(c.method, c.path), all.allow(c.path); class != c.class || allow != c.allow {
			t.Errorf("%s %s: %v, Allow %q; want %v, %q", c.method, c.path, class, allow, c.class, c.allow)
		}
	}
}
