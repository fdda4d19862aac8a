package rest_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	"github.com/gptmesh/gptmesh/gateway/rest"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"go.uber.org/goleak"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/test/bufconn"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// rooms are scripted services behind a real gRPC server.
type rooms struct {
	sessionv1.UnimplementedSessionServiceServer
	requestv1.UnimplementedRequestServiceServer
	responsev1.UnimplementedResponseServiceServer

	metadata metadata.MD
	created  *sessionv1.CreateSessionRequest
	after    int64

	submitted *requestv1.SubmitRequest
	left      chan error
	entered   chan struct{}
}

func (r *rooms) CreateSession(ctx context.Context, in *sessionv1.CreateSessionRequest) (*sessionv1.CreateSessionResponse, error) {
	r.created = in
	r.metadata, _ = metadata.FromIncomingContext(ctx)
	return &sessionv1.CreateSessionResponse{Session: &sessionv1.Session{Id: "ses_1", UserId: in.GetUserId()}}, nil
}

func (r *rooms) GetSession(_ context.Context, in *sessionv1.GetSessionRequest) (*sessionv1.GetSessionResponse, error) {
	return nil, fault.New(codes.NotFound, meshv1.ErrorReason_ERROR_REASON_SESSION_NOT_FOUND, "no such session", "session_id", in.GetSessionId())
}

func (r *rooms) ListSessions(context.Context, *sessionv1.ListSessionsRequest) (*sessionv1.ListSessionsResponse, error) {
	return &sessionv1.ListSessionsResponse{}, nil
}

func (r *rooms) WatchSession(in *sessionv1.WatchSessionRequest, stream grpc.ServerStreamingServer[sessionv1.WatchSessionResponse]) error {
	r.after = in.GetAfterVersion()
	_ = stream.Send(&sessionv1.WatchSessionResponse{Kind: sessionv1.WatchSessionResponse_KIND_MESSAGES_APPENDED, Version: 7})
	close(r.entered)
	<-stream.Context().Done()
	r.left <- stream.Context().Err()
	return stream.Context().Err()
}

func (r *rooms) Submit(in *requestv1.SubmitRequest, stream grpc.ServerStreamingServer[requestv1.SubmitResponse]) error {
	r.submitted = in
	switch in.GetTurn().GetModel() {
	case "refused":
		return fault.InvalidField("turn.model", "is odd")
	case "busy":
		return fault.New(codes.ResourceExhausted, meshv1.ErrorReason_ERROR_REASON_RATE_LIMITED, "slow down").WithRetryAfter(3e9)
	}
	_ = stream.Send(&requestv1.SubmitResponse{Request: &requestv1.Request{Id: "req_1"}})
	_ = stream.Send(&requestv1.SubmitResponse{Chunk: &conversationv1.Chunk{Sequence: 1, Events: []*conversationv1.Event{gatewaytest.Text("a\nb")}}})
	if in.GetTurn().GetModel() == "breaks" {
		return errors.New("secret")
	}
	return nil
}

type gpt struct {
	gptv1.UnimplementedGPTServiceServer
}

func (gpt) GetModel(_ context.Context, in *gptv1.GetModelRequest) (*gptv1.GetModelResponse, error) {
	return &gptv1.GetModelResponse{Model: &gptv1.Model{Id: in.GetModel()}}, nil
}

// routing answers with the name of the experiment that it was given.
type routing struct {
	requestv1.UnimplementedRoutingServiceServer
}

func (routing) CreateExperiment(_ context.Context, in *requestv1.CreateExperimentRequest) (*requestv1.CreateExperimentResponse, error) {
	return &requestv1.CreateExperimentResponse{Experiment: &requestv1.Experiment{Name: "made of " + in.GetExperiment().GetName()}}, nil
}

func serve(t *testing.T, deps edge.Deps) (*rooms, string) {
	t.Helper()
	r := &rooms{left: make(chan error, 1), entered: make(chan struct{})}
	server := grpc.NewServer()
	sessionv1.RegisterSessionServiceServer(server, r)
	requestv1.RegisterRequestServiceServer(server, r)
	responsev1.RegisterResponseServiceServer(server, r)
	requestv1.RegisterRoutingServiceServer(server, routing{})
	gptv1.RegisterGPTServiceServer(server, gpt{})
	listener := bufconn.Listen(1 << 16)
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	conn, err := grpc.NewClient("passthrough:///rooms", grpc.WithTransportCredentials(insecure.NewCredentials()),
		grpc.WithContextDialer(func(ctx context.Context, _ string) (net.Conn, error) { return listener.DialContext(ctx) }))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		conn.Close()
		server.Stop()
		<-served
	})
	face, err := rest.New(rest.Deps{Session: conn, Request: conn, Response: conn, GPT: conn, OpenAPI: []byte("openapi: 3.0.3\n")})
	if err != nil {
		t.Fatal(err)
	}
	face.Prefixes = append(face.Prefixes, "/")
	deps.Faces = []edge.Face{face}
	return r, gatewaytest.Serve(t, gatewaytest.Edge(t, deps, nil))
}

func TestTranscripts(t *testing.T) {
	t.Parallel()
	_, url := serve(t, edge.Deps{})
	client := gatewaytest.Client(t)
	submit := func(model string) string {
		return `{"turn":{"model":"` + model + `","messages":[{"role":"ROLE_USER","parts":[{"text":"hi"}]}]}}`
	}
	const events = "text/event-stream"
	for name, c := range map[string][]string{
		"create":              {"POST", "/mesh/v1/sessions", `{"user_id":"ann"}`},
		"create_camel":        {"POST", "/mesh/v1/sessions", `{"userId":"ann"}`},
		"list_empty":          {"GET", "/mesh/v1/sessions?page_size=5", ""},
		"list_unknown_query":  {"GET", "/mesh/v1/sessions?page_sise=5", ""},
		"list_bad_query":      {"GET", "/mesh/v1/sessions?page_size=many", ""},
		"list_bad_enum":       {"GET", "/mesh/v1/usage?group_by=colour", ""},
		"root":                {"GET", "/mesh/v1", ""},
		"not_found":           {"GET", "/mesh/v1/sessions/ses_x", ""},
		"unknown_field":       {"POST", "/mesh/v1/sessions", `{"user_id":"ann","colour":"red"}`},
		"wrong_type":          {"POST", "/mesh/v1/sessions", `{"user_id":7}`},
		"not_json":            {"POST", "/mesh/v1/sessions", `{"user_id":`},
		"model_with_slash":    {"GET", "/mesh/v1/models/meta/llama", ""},
		"unknown_path":        {"GET", "/mesh/v1/nothing", ""},
		"wrong_method":        {"PUT", "/mesh/v1/sessions/ses_x", "{}"},
		"submit_lines":        {"POST", "/mesh/v1/requests", submit("m")},
		"submit_events":       {"POST", "/mesh/v1/requests", submit("m"), "Accept", events},
		"submit_refused":      {"POST", "/mesh/v1/requests", submit("refused")},
		"submit_refused_ev":   {"POST", "/mesh/v1/requests", submit("refused"), "Accept", events},
		"submit_busy":         {"POST", "/mesh/v1/requests", submit("busy")},
		"submit_breaks":       {"POST", "/mesh/v1/requests", submit("breaks")},
		"submit_breaks_event": {"POST", "/mesh/v1/requests", submit("breaks"), "Accept", events},
		"no_room":             {"POST", "/mesh/v1/classifications", `{"text":"x"}`},
		"openapi":             {"GET", "/mesh/v1/openapi.yaml", ""},
	} {
		got := gatewaytest.Transcript(t, client, url, c[0], c[1], c[2], c[3:]...)
		// protojson puts spaces where it likes, so that nobody relies on bytes.
		got = strings.NewReplacer(`": `, `":`, `, "`, `,"`).Replace(got)
		got = withoutLength(got)
		gatewaytest.Golden(t, name+".txt", got)
	}
}

func withoutLength(s string) string {
	var kept []string
	for _, line := range strings.Split(s, "\n") {
		if !strings.HasPrefix(line, "< Content-Length:") {
			kept = append(kept, line)
		}
	}
	return strings.Join(kept, "\n")
}

func TestNothingButTheCallGoesIn(t *testing.T) {
	t.Parallel()
	r, url := serve(t, edge.Deps{Auth: gatewaytest.Keys(t, "good")})
	req, _ := http.NewRequest("POST", url+"/k/good/mesh/v1/sessions", strings.NewReader(`{}`))
	req.Header.Set("Authorization", "Bearer good")
	req.Header.Set("Gptmesh-Principal", "somebody else")
	req.Header.Set("Grpc-Metadata-Gptmesh-Principal", "somebody else")
	resp, err := gatewaytest.Client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	resp.Body.Close()
	if resp.StatusCode != 200 {
		t.Fatal(resp.Status)
	}
	for key := range r.metadata {
		if strings.Contains(key, "principal") || strings.Contains(key, "authorization") {
			t.Errorf("%s: %v", key, r.metadata[key])
		}
	}
}

func TestWatchResumesAndEndsWithItsClient(t *testing.T) {
	t.Parallel()
	r, url := serve(t, edge.Deps{})
	ctx, cancel := context.WithCancel(context.Background())
	defer cancel()
	req, _ := http.NewRequestWithContext(ctx, "GET", url+"/mesh/v1/sessions/ses_1:watch", nil)
	req.Header.Set("Accept", "text/event-stream, */*")
	req.Header.Set("Last-Event-ID", "6")
	resp, err := gatewaytest.Client(t).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	const head = "id: 7\nevent: messages_appended\ndata: {"
	got := make([]byte, len(head))
	if _, err := io.ReadFull(resp.Body, got); err != nil || string(got) != head {
		t.Errorf("%q %v", got, err)
	}
	<-r.entered
	cancel()
	if err := <-r.left; !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
	if r.after != 6 {
		t.Errorf("resumed after %d", r.after)
	}
}

func TestTurnsSayTheirKeyInHeaders(t *testing.T) {
	t.Parallel()
	r, url := serve(t, edge.Deps{})
	for _, c := range []struct{ body, key, last, policy, want string }{
		{`{"turn":{"model":"m"}}`, "k1", "3", "drain", "k1 3 DISCONNECT_POLICY_DRAIN 200"},
		{`{"turn":{"model":"m"},"idempotencyKey":"own","after_sequence":"2"}`, "k1", "3", "", "own 2 DISCONNECT_POLICY_UNSPECIFIED 200"},
		{`{"turn":{"model":"m"}}`, "", "", "", " 0 DISCONNECT_POLICY_UNSPECIFIED 200"},
		{`{"turn":{"model":"m"}}`, "k", "", "perhaps", " 400"},
		{`[1]`, "k", "", "", " 400"},
		{`null`, "k", "", "", " 400"},
	} {
		r.submitted = nil
		req, err := http.NewRequest("POST", url+"/mesh/v1/requests", strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		for name, value := range map[string]string{"Idempotency-Key": c.key, "Last-Event-ID": c.last, "X-Gptmesh-On-Disconnect": c.policy} {
			if value != "" {
				req.Header.Set(name, value)
			}
		}
		resp, err := gatewaytest.Client(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		_, _ = io.Copy(io.Discard, resp.Body)
		resp.Body.Close()
		got := fmt.Sprint("", " ", resp.StatusCode)
		if in := r.submitted; in != nil {
			got = fmt.Sprint(in.GetIdempotencyKey(), " ", in.GetAfterSequence(), " ", in.GetOnDisconnect(), " ", resp.StatusCode)
		}
		if got != c.want {
			t.Errorf("%s: got %q, want %q", c.body, got, c.want)
		}
	}
}

func TestErrorsHaveOneShape(t *testing.T) {
	t.Parallel()
	_, url := serve(t, edge.Deps{Auth: gatewaytest.Keys(t, "good")})
	resp, err := gatewaytest.Client(t).Get(url + "/mesh/v1/sessions")
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var out struct {
		Error struct {
			Code                    int
			Status, Reason, Message string
		}
	}
	if err := json.NewDecoder(resp.Body).Decode(&out); err != nil || out.Error.Code != 401 || out.Error.Status != "UNAUTHENTICATED" || out.Error.Reason != "UNAUTHENTICATED" {
		t.Errorf("%+v %v", out, err)
	}
}

// TestWhatIsWrongIsNamed sends what no field can hold: the answer says 400 and
// where it is.
func TestWhatIsWrongIsNamed(t *testing.T) {
	t.Parallel()
	_, url := serve(t, edge.Deps{})
	for _, c := range []struct{ method, path, body, want string }{
		{"GET", "/mesh/v1/sessions/%ff", "", "400 INVALID_FIELD path"},
		{"GET", "/mesh/v1/sessions?user_id=%ff", "", "400 INVALID_FIELD user_id"},
		{"GET", "/mesh/v1/sessions?states=STATE_HAPPY", "", "400 INVALID_FIELD states"},
		{"POST", "/mesh/v1/sessions", `{"user_id":7}`, "400 MALFORMED_BODY userId"},
		{"POST", "/mesh/v1/sessions", "{\"user_id\":\"\xff\"}", "400 MALFORMED_BODY "},
	} {
		req, err := http.NewRequest(c.method, url+c.path, strings.NewReader(c.body))
		if err != nil {
			t.Fatal(err)
		}
		resp, err := gatewaytest.Client(t).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		var out struct {
			Error struct {
				Reason   string
				Metadata map[string]string
			}
		}
		err = json.NewDecoder(resp.Body).Decode(&out)
		resp.Body.Close()
		if got := fmt.Sprint(resp.StatusCode, " ", out.Error.Reason, " ", out.Error.Metadata["field"]); err != nil || got != c.want {
			t.Errorf("%s %s %s: got %q (%v), want %q", c.method, c.path, c.body, got, err, c.want)
		}
	}
}

// TestBodyOfOneField makes an experiment, whose contract names a field as the
// body.
func TestBodyOfOneField(t *testing.T) {
	t.Parallel()
	_, url := serve(t, edge.Deps{})
	for body, want := range map[string]string{
		`{"name":"cheaper"}`:      `200 {"experiment":{"name":"made of cheaper"`,
		`{"experiment":{}}`:       `400 {"error":{"code":400,"status":"INVALID_ARGUMENT","reason":"INVALID_FIELD","message":"experiment: there is no such field"`,
		`{"name":"cheaper"} more`: `400 {"error":{"code":400,"status":"INVALID_ARGUMENT","reason":"MALFORMED_BODY"`,
	} {
		resp, err := gatewaytest.Client(t).Post(url+"/mesh/v1/routing/experiments", "application/json", strings.NewReader(body))
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(resp.Body)
		resp.Body.Close()
		got := fmt.Sprint(resp.StatusCode, " ", strings.NewReplacer(`": `, `":`).Replace(string(data)))
		if err != nil || !strings.HasPrefix(got, want) {
			t.Errorf("%s: got %s (%v), want %s", body, got, err, want)
		}
	}
}
