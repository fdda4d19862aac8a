package eventstest

import (
	"testing"

	"github.com/gptmesh/gptmesh/pkg/events"
	"google.golang.org/protobuf/types/known/anypb"
	"google.golang.org/protobuf/types/known/wrapperspb"
)

// refused: what the server will never take is told apart from what it does not
// take now, and does not keep others from being taken.
func refused(t *testing.T, h Harness) {
	if h.TooLarge == 0 {
		t.Skip("takes events of any size")
	}
	b := h.Open(t)
	list := series("a", 1, 5)
	large, err := anypb.New(wrapperspb.Bytes(make([]byte, h.TooLarge)))
	if err != nil {
		t.Fatal(err)
	}
	list[2].Payload = large
	publish(t, b, list[0]) // connected
	taken, err := b.Publish(t.Context(), list)
	if taken != 2 || !events.IsRejected(err) {
		t.Fatalf("Publish = %d, %v; want 2 and that the third is refused", taken, err)
	}
	publish(t, b, list[3:]...)
	in := newInbox()
	subscribe(t, b, events.Subscription{Group: "readers", Start: earliest}, in.handle)
	in.await(t, 4)
	want(t, in.numbers(), []int{1, 2, 4, 5})
}
