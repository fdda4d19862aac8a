package anthropic_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/gptmesh/gptmesh/gateway/anthropic"
	"github.com/gptmesh/gptmesh/gateway/gatewaytest"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
)

func TestWhatIsSubmitted(t *testing.T) {
	t.Parallel()
	m := newMesh(t, setup{})
	m.request.Script = gatewaytest.Chunks(answers["text"]...)
	const body = `{"model":"claude-sonnet-4-5","max_tokens":64,"tools":[{"name":"t","input_schema":{}}],"metadata":{"user_id":"user_1"},"odd":1.50,"messages":[{"role":"user","content":"hi"}]}`
	w := post(m, "/v1/messages?beta=true", body, "Anthropic-Version", "2023-06-01", "Anthropic-Beta", "a-1,b-2", "Anthropic-Beta", "unheard-of",
		"X-Api-Key", "secret", "Authorization", "Bearer secret", "X-Stainless-Lang", "js",
		"Idempotency-Key", "k1", "X-Gptmesh-On-Disconnect", "drain", "X-Gptmesh-Cache", "60", "X-Gptmesh-Post", "reasoning=strip", "X-Request-Timeout", "9")
	if w.Code != 200 {
		t.Fatalf("%d %s", w.Code, w.Body)
	}
	got := m.request.Last()
	turn := got.GetTurn()
	if string(turn.GetRaw().GetBody()) != body || turn.GetModel() != "claude-sonnet-4-5" || turn.GetAcceptWire() != own || got.GetWireBounds() != own || turn.GetStream() ||
		turn.GetMaxOutputTokens() != 64 || !turn.GetHasTools() || turn.GetUser() != "user_1" {
		t.Errorf("turn %v", turn)
	}
	want := map[string]string{"anthropic-version": "2023-06-01", "anthropic-beta": "a-1,b-2,unheard-of"}
	if diff := cmp.Diff(want, turn.GetRaw().GetHeaders()); diff != "" {
		t.Errorf("handed on (-want +got):\n%s", diff)
	}
	if got.GetUserId() != "user_1" || got.GetIdempotencyKey() != "k1" || got.GetCache().GetTtl().GetSeconds() != 60 || got.GetTimeout().GetSeconds() != 9 ||
		got.GetOnDisconnect() != responsev1.DisconnectPolicy_DISCONNECT_POLICY_DRAIN || got.GetPostProcessing().GetReasoning() != responsev1.PostProcessing_REASONING_STRIP {
		t.Errorf("request %v", got)
	}
	post(m, "/v1/messages", ask)
	if headers := m.request.Last().GetTurn().GetRaw().GetHeaders(); headers != nil {
		t.Errorf("no headers were sent, %v are handed on", headers)
	}
}

func TestSessionsAndUsers(t *testing.T) {
	t.Parallel()
	m := newMesh(t, setup{})
	m.request.Script = gatewaytest.Chunks(answers["text"]...)
	long := "user_" + strings.Repeat("0a", 32) + "_account_" + strings.Repeat("b", 36) + "_session_" + strings.Repeat("c", 36)
	for _, c := range []struct {
		metadata, header          string
		session, user, turnUser   string
		metadataLeft              string
		userHeader, sessionHeader string
	}{
		{metadata: `{"user_id":"u1"}`, user: "u1", turnUser: "u1", metadataLeft: `{"user_id":"u1"}`},
		{metadata: `{"user_id":"u1","gptmesh_session":"ses_1"}`, user: "u1", turnUser: "u1", session: "ses_1", metadataLeft: `{"user_id":"u1"}`},
		{metadata: `{"user_id":"u1"}`, userHeader: "ann", sessionHeader: "new", user: "ann", turnUser: "u1", session: "new", metadataLeft: `{"user_id":"u1"}`},
		{metadata: `{"user_id":"\u00fc\u0000"}`, user: "ü\x00", turnUser: "ü\x00", metadataLeft: `{"user_id":"\u00fc\u0000"}`},
		{metadata: `{"user_id":null}`, metadataLeft: `{"user_id":null}`},
		{metadata: `{"user_id":7}`, metadataLeft: `{"user_id":7}`},
		{metadata: `"user_id"`, metadataLeft: `"user_id"`},
		{metadata: `{"user_id":"` + long + `"}`, user: "sha256:", turnUser: long, metadataLeft: `{"user_id":"` + long + `"}`},
		{metadata: `{"user_id":"` + strings.Repeat("x", 600) + `"}`, user: "sha256:", metadataLeft: `{"user_id":"` + strings.Repeat("x", 600) + `"}`},
	} {
		body := func(metadata string) string {
			return `{"model":"m","metadata":` + metadata + `,"max_tokens":1,"messages":[{"role":"user","content":"user_id"}]}`
		}
		var headers []string
		if c.userHeader != "" {
			headers = append(headers, "X-Gptmesh-User", c.userHeader)
		}
		if c.sessionHeader != "" {
			headers = append(headers, "X-Gptmesh-Session", c.sessionHeader)
		}
		if w := post(m, "/v1/messages", body(c.metadata), headers...); w.Code != 200 {
			t.Errorf("%s: %d %s", c.metadata, w.Code, w.Body)
			continue
		}
		got := m.request.Last()
		user := got.GetUserId()
		if c.user == "sha256:" && len(user) == 71 {
			user = user[:7]
		}
		if got.GetSessionId() != c.session || user != c.user || got.GetTurn().GetUser() != c.turnUser || string(got.GetTurn().GetRaw().GetBody()) != body(c.metadataLeft) {
			t.Errorf("%s: session %q, user %q, turn's %q, %s", c.metadata, got.GetSessionId(), got.GetUserId(), got.GetTurn().GetUser(), got.GetTurn().GetRaw().GetBody())
		}
	}
}

// The client's leaving reaches the room at once.
func TestClientThatLeaves(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body  string
		first bool
	}{"before the first event": {askStream, false}, "in mid-stream": {askStream, true}, "not streaming": {ask, false}} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := newMesh(t, setup{})
			m.gpt.count = func(ctx context.Context, _ *gptv1.CountTokensRequest) (*gptv1.CountTokensResponse, error) {
				<-ctx.Done()
				return nil, ctx.Err()
			}
			entered, left := make(chan struct{}), make(chan error, 1)
			m.request.Script = func(ctx context.Context, _ *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
				if c.first {
					_ = sink(&requestv1.SubmitResponse{Chunk: gatewaytest.Raw(own, sse, rawStart, gatewaytest.Started("m"))})
				}
				close(entered)
				<-ctx.Done()
				left <- ctx.Err()
				return ctx.Err()
			}
			conn, err := net.Dial("tcp", strings.TrimPrefix(gatewaytest.Serve(t, m.edge), "http://"))
			if err != nil {
				t.Fatal(err)
			}
			fmt.Fprintf(conn, "POST /v1/messages HTTP/1.1\r\nHost: localhost\r\nContent-Length: %d\r\n\r\n%s", len(c.body), c.body)
			<-entered
			conn.Close()
			if err := <-left; !errors.Is(err, context.Canceled) {
				t.Error(err)
			}
		})
	}
}

const ping = "event: ping\ndata: {\"type\":\"ping\"}\n\n"

func TestHeartbeat(t *testing.T) {
	t.Parallel()
	const notFound = `{"type":"error","error":{"type":"not_found_error","message":"no provider has the model m"}`
	for name, c := range map[string]struct {
		pause time.Duration
		err   error
		want  string
		code  int
	}{
		"then an answer": {15 * time.Second, nil, ping + ping + rawStart + ping + ping + rawRest, 200},
		"then an error":  {15 * time.Second, gatewaytest.NoModel("m"), ping + ping + "event: error\ndata: " + notFound + `,"request_id":"rid_1"}` + "\n\n", 200},
		"off":            {0, gatewaytest.NoModel("m"), notFound + `,"request_id":"rid_1"}`, 404},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				m := newMesh(t, setup{config: func(config *anthropic.Config) { config.Heartbeat = c.pause }})
				m.request.Script = func(_ context.Context, _ *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
					time.Sleep(40 * time.Second) // of the bubble's clock
					if c.err != nil {
						return c.err
					}
					_ = sink(&requestv1.SubmitResponse{Chunk: gatewaytest.Raw(own, sse, rawStart, gatewaytest.Started("m"))})
					time.Sleep(45 * time.Second) // not on a beat of the heart
					err := sink(&requestv1.SubmitResponse{Chunk: gatewaytest.Raw(own, sse, rawRest, gatewaytest.Finished())})
					time.Sleep(time.Minute)
					return err
				}
				if w := post(m, "/v1/messages", askStream, id...); w.Code != c.code || w.Body.String() != c.want {
					t.Errorf("%d %q, want %q", w.Code, w.Body, c.want)
				}
			})
		})
	}
}

func TestDeadlineOfTheClient(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, setup{})
		m.request.Script = func(ctx context.Context, _ *requestv1.SubmitRequest, _ func(*requestv1.SubmitResponse) error) error {
			<-ctx.Done()
			return ctx.Err()
		}
		if w := post(m, "/v1/messages", askStream, "X-Request-Timeout", "2"); w.Code != 504 || !strings.Contains(w.Body.String(), "timeout_error") {
			t.Errorf("%d %s", w.Code, w.Body)
		}
	})
}

// message_start has the count where it is there in time.
func TestInputTokensBeforeTheAnswer(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, setup{})
		counts := 0
		m.gpt.count = func(_ context.Context, request *gptv1.CountTokensRequest) (*gptv1.CountTokensResponse, error) {
			counts++
			if string(request.GetTurn().GetRaw().GetBody()) != askStream {
				t.Errorf("counted %v", request)
			}
			return &gptv1.CountTokensResponse{InputTokens: 4711}, nil
		}
		answer := func(body string, chunks ...*conversationv1.Chunk) (inStart any) {
			t.Helper()
			m.request.Script = func(ctx context.Context, request *requestv1.SubmitRequest, sink func(*requestv1.SubmitResponse) error) error {
				synctest.Wait() // until the count has ended
				return gatewaytest.Chunks(chunks...)(ctx, request, sink)
			}
			w := post(m, "/v1/messages", body)
			if body == ask {
				return nil
			}
			start, _, _ := strings.Cut(w.Body.String(), "\n\n")
			a := accumulator{open: -1}
			if err := a.take("message_start", strings.TrimPrefix(start, "event: message_start\ndata: ")); err != nil {
				t.Fatal(err)
			}
			return a.message.Usage["input_tokens"]
		}
		raw := gatewaytest.Raw(own, sse, rawStart+rawRest, gatewaytest.Started("claude-sonnet-4-5"), gatewaytest.Finished())
		guessed := float64(len(askStream)/4 + 1)
		for i, c := range []struct {
			body   string
			chunks []*conversationv1.Chunk
			want   any
			counts int
		}{
			{askStream, answers["text"], 4711.0, 1},
			{ask, answers["text"], nil, 1}, // needs none
			{askStream, []*conversationv1.Chunk{raw}, 25.0, 2},
			{askStream, []*conversationv1.Chunk{raw}, 25.0, 2}, // the provider counts
			{askStream, answers["text"], guessed, 2},           // it did, up to now
			{askStream, answers["text"], 4711.0, 3},
		} {
			if got := answer(c.body, c.chunks...); got != c.want || counts != c.counts {
				t.Errorf("%d: %v in message_start after %d counts, want %v after %d", i, got, counts, c.want, c.counts)
			}
		}
	})
}

// A picture within a body is no text.
func TestGuessedInputTokens(t *testing.T) {
	t.Parallel()
	m := newMesh(t, setup{})
	m.gpt.count = noCount
	m.request.Script = gatewaytest.Chunks(answers["text"]...)
	picture := `{"model":"m","max_tokens":9,"stream":true,"messages":[{"role":"user","content":[{"type":"image","source":{"type":"base64","media_type":"image/png","data":"` +
		strings.Repeat("A", 1<<20) + `"}}]}]}`
	start, _, _ := strings.Cut(post(m, "/v1/messages", picture).Body.String(), "\n\n")
	a := accumulator{open: -1}
	if err := a.take("message_start", strings.TrimPrefix(start, "event: message_start\ndata: ")); err != nil {
		t.Fatal(err)
	}
	if n, _ := a.message.Usage["input_tokens"].(float64); n < 1000 || n > 3000 {
		t.Errorf("%v tokens", n)
	}
}

// The first event does not wait for the count, and the count ends with the
// answer.
func TestCountThatIsLate(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := newMesh(t, setup{})
		ended := false
		m.gpt.count = func(ctx context.Context, _ *gptv1.CountTokensRequest) (*gptv1.CountTokensResponse, error) {
			<-ctx.Done()
			ended = true
			return nil, ctx.Err()
		}
		m.request.Script = gatewaytest.Chunks(answers["text"]...)
		began := time.Now()
		w := post(m, "/v1/messages", askStream)
		if got, err := accumulate(w.Body.String()); err != nil || got.Usage["input_tokens"] != 12.0 || !w.Flushed {
			t.Errorf("%v %v", got, err)
		}
		if waited := time.Since(began); waited != 0 || !ended {
			t.Errorf("waited %v, ended %v", waited, ended)
		}
	})
}

func TestCountTokens(t *testing.T) {
	t.Parallel()
	m := newMesh(t, setup{})
	m.gpt.count = func(_ context.Context, request *gptv1.CountTokensRequest) (*gptv1.CountTokensResponse, error) {
		turn := request.GetTurn()
		if turn.GetModel() == "nope" {
			return nil, gatewaytest.NoModel("nope")
		}
		if len(turn.GetMessages()) != 2 || len(turn.GetTools()) != 1 || turn.MaxOutputTokens != nil {
			t.Errorf("counted %v", turn)
		}
		return &gptv1.CountTokensResponse{InputTokens: 2095, Tokenizer: "o200k_base"}, nil
	}
	url, client := gatewaytest.Serve(t, m.edge), gatewaytest.Client(t)
	for name, body := range map[string]string{
		"fine":          `{"model":"claude-sonnet-4-5","system":"S","tools":[{"name":"t","input_schema":{"type":"object"}}],"messages":[{"role":"user","content":"hi"}]}`,
		"unknown_model": `{"model":"nope","messages":[{"role":"user","content":"hi"}]}`,
		"malformed":     `{"model":"m","messages":[{"role":"user","content":7}]}`,
	} {
		gatewaytest.Golden(t, "count/"+name+".txt", gatewaytest.Transcript(t, client, url, "POST", "/v1/messages/count_tokens?beta=true", body, id...))
	}
}
