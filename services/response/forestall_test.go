package response

import (
	"testing"

	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
)

// An answer that is not there is kept as cancelled for whoever says whose it is: none
// begins under its id any more, streamed or not. One that is there stays as it is.
func TestForestall(t *testing.T) {
	t.Parallel()
	for store, open := range map[string]func(t *testing.T) *world{
		"sqlite":     func(t *testing.T) *world { return open(t) },
		"postgresql": func(t *testing.T) *world { return replica(t, pgtest.DB(t), "one") },
	} {
		t.Run(store, func(t *testing.T) {
			t.Parallel()
			w := open(t)
			w.model.plays(says(hello()...))
			cancel := func(id, request string) string {
				t.Helper()
				resp, err := w.caller.CancelResponse(t.Context(), &responsev1.CancelResponseRequest{ResponseId: id, RequestId: request})
				if err != nil {
					return reason(err)
				}
				return resp.GetResponse().GetState().String()
			}
			equal(t, cancel("resp_1", ""), "RESPONSE_NOT_FOUND")
			for id, stream := range map[string]bool{"resp_1": true, "resp_2": false} {
				equal(t, cancel(id, "req_1"), "STATE_CANCELLED")
				equal(t, cancel(id, "req_1"), "STATE_CANCELLED")
				req := whole(id)
				req.Turn.Stream = stream
				_, err := w.generate(t.Context(), req)
				equal(t, reason(err), "ALREADY_EXISTS")
				r := w.get(id)
				equal(t, r.GetState().String()+" "+r.GetRequestId(), "STATE_CANCELLED req_1")
				chunks, err := w.watch(t.Context(), id, 0, 0)
				equal(t, show(chunks)+reason(err), "1:^!CANCELLED")
			}
			if _, err := w.generate(t.Context(), &responsev1.GenerateRequest{ResponseId: "resp_3"}); err != nil {
				t.Fatal(err)
			}
			equal(t, cancel("resp_3", "req_3"), "STATE_COMPLETED")
		})
	}
}
