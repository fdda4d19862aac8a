package main

import (
	"bytes"
	"strings"
	"testing"

	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
)

// Nothing but answers is printed where nobody types, and nothing before an error.
func TestChatPrintsAnswersAlone(t *testing.T) {
	t.Parallel()
	s := testSettings(t)
	h, err := start(t.Context(), &s, allRooms)
	if err != nil {
		t.Fatal(err)
	}
	defer h.group.Shutdown(t.Context())
	flags := &chatCommand{clientFlags: clientFlags{Addr: s.GRPC}}
	conn, err := flags.dial()
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	var out bytes.Buffer
	chat := &conversation{flags: flags, requests: requestv1.RemoteRequestService(conn), session: "new", out: &out}
	if err := chat.lines(strings.NewReader("one\n\ntwo words")); err != nil || out.String() != "one\ntwo words\n" {
		t.Errorf("%v %q", err, out.String())
	}
	out.Reset()
	flags.Model = "nosuch"
	if err := chat.lines(strings.NewReader("one\ntwo")); err == nil || out.Len() != 0 {
		t.Errorf("%v %q", err, out.String())
	}
	if err := chat.turn("hi"); err == nil || !strings.Contains(flags.explain(err).Error(), "there is no model nosuch") || out.Len() != 0 {
		t.Errorf("%v %q", err, out.String())
	}
}
