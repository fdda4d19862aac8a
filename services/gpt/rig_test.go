package gpt_test

import (
	"context"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt"
	"github.com/prometheus/client_golang/prometheus"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// rig is a room on an embedded store.
type rig struct {
	gptv1.GPTServiceCaller
	room    *gpt.Service
	db      *sqlite.DB
	metrics *prometheus.Registry
}

type setup struct {
	config func(*gpt.Config)
	env    map[string]string
	db     *sqlite.DB
	pg     *postgres.DB
	tracer trace.Tracer
	clock  func() time.Time // nil is time.Now
	// upstream makes the requests; nil lets the room.
	upstream upstream.Doer
}

func start(t *testing.T, s setup) *rig {
	t.Helper()
	cfg := gpt.DefaultConfig()
	cfg.Discovery.Enabled = false
	cfg.Retry.BaseDelay, cfg.Retry.MaxDelay = time.Millisecond, time.Millisecond
	if s.config != nil {
		s.config(&cfg)
	}
	r := &rig{db: s.db, metrics: prometheus.NewRegistry()}
	if r.db == nil && s.pg == nil {
		r.db = database(t)
	}
	var err error
	r.room, err = gpt.New(cfg, gpt.Deps{
		SQLite: r.db, Postgres: s.pg, Metrics: r.metrics, Logger: slog.New(slog.NewTextHandler(io.Discard, nil)), Instance: "test", Tracer: s.tracer, Clock: s.clock,
		Upstream: s.upstream,
		Getenv:   func(name string) string { return s.env[name] },
	})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.room.Close(); err != nil {
			t.Error(err)
		}
	})
	if err := r.room.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.GPTServiceCaller = gptv1.LocalGPTService(r.room, nil)
	return r
}

func database(t *testing.T) *sqlite.DB {
	t.Helper()
	db, err := sqlite.Open(t.Context(), sqlite.Config{Path: filepath.Join(t.TempDir(), "gpt.db"), Synchronous: sqlite.Off})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { db.Close() })
	migrations, _ := gpt.Migrations()
	if _, err := db.Migrate(t.Context(), migrations); err != nil {
		t.Fatal(err)
	}
	return db
}

// openai is a scripted server at OPENAI_BASE_URL.
func openai(t *testing.T, handler http.HandlerFunc) map[string]string {
	t.Helper()
	server := httptest.NewServer(handler)
	t.Cleanup(server.Close)
	return map[string]string{"OPENAI_BASE_URL": server.URL + "/v1/", "OPENAI_API_KEY": "sk-secret-key-1"}
}

func ask(model string) *gptv1.GenerateRequest {
	return &gptv1.GenerateRequest{
		RequestId: "req_1", ResponseId: "resp_1", SessionId: "ses_1", UserId: "u",
		Turn: &conversationv1.Turn{Model: model, Stream: true, Messages: []*conversationv1.Message{{
			Role: conversationv1.Role_ROLE_USER, Parts: []*conversationv1.ContentPart{{Kind: &conversationv1.ContentPart_Text{Text: "one two three four"}}},
		}}},
	}
}

// answer is all chunks of an answer.
type answer struct {
	chunks []*conversationv1.Chunk
	err    error
}

func (r *rig) generate(ctx context.Context, req *gptv1.GenerateRequest) answer {
	var a answer
	a.err = r.Generate(ctx, req, func(resp *gptv1.GenerateResponse) error {
		a.chunks = append(a.chunks, proto.Clone(resp.GetChunk()).(*conversationv1.Chunk))
		return nil
	})
	return a
}

func (a answer) text() (text string) {
	for _, chunk := range a.chunks {
		for _, event := range chunk.GetEvents() {
			text += event.GetText().GetText()
		}
	}
	return text
}

func (a answer) usage() (usage *conversationv1.Usage) {
	for _, chunk := range a.chunks {
		for _, event := range chunk.GetEvents() {
			if event.GetUsage() != nil {
				usage = event.GetUsage()
			}
		}
	}
	return usage
}

// reason is why the answer failed, before its first chunk or after.
func (a answer) reason() string {
	if a.err != nil {
		return fault.ReasonName(fault.From(a.err).Reason)
	}
	if n := len(a.chunks); n > 0 {
		events := a.chunks[n-1].GetEvents()
		if failed := events[len(events)-1].GetFailed(); failed != nil {
			return "event " + fault.ReasonName(failed.GetReason())
		}
		if events[len(events)-1].GetFinished() != nil {
			return "finished"
		}
	}
	return "nothing"
}

func (r *rig) attempts(t *testing.T) []*gptv1.Attempt {
	t.Helper()
	resp, err := r.ListAttempts(context.WithoutCancel(t.Context()), &gptv1.ListAttemptsRequest{})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetAttempts()
}

// only returns the one attempt there is, which must be settled.
func (r *rig) only(t *testing.T) *gptv1.Attempt {
	t.Helper()
	attempts := r.attempts(t)
	if len(attempts) != 1 {
		t.Fatalf("%d attempts: %v", len(attempts), attempts)
	}
	if attempts[0].GetState() != gptv1.Attempt_STATE_SETTLED {
		t.Fatalf("not settled: %v", attempts[0])
	}
	return attempts[0]
}

func as(ctx context.Context, owner string) context.Context {
	return callctx.With(ctx, callctx.Call{Principal: callctx.Principal{ID: owner}})
}

// script answers each call of chat completions by the next step; lists have
// model m.
func script(steps ...http.HandlerFunc) http.HandlerFunc {
	var mu sync.Mutex
	next := 0
	return func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodGet {
			w.Header().Set("Content-Type", "application/json")
			io.WriteString(w, `{"object":"list","data":[{"id":"m","object":"model","created":1,"owned_by":"x"}]}`)
			return
		}
		mu.Lock()
		step := steps[min(next, len(steps)-1)]
		next++
		mu.Unlock()
		io.Copy(io.Discard, r.Body)
		step(w, r)
	}
}

func status(code int, header ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
		io.WriteString(w, `{"error":{"message":"secret place /srv/x.py","type":"t"}}`)
	}
}

const (
	chunkHello = `data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m-1","choices":[{"index":0,"delta":{"role":"assistant","content":"Hello"},"finish_reason":null}]}` + "\n\n"
	chunkThere = `data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m-1","choices":[{"index":0,"delta":{"content":" there"},"finish_reason":null}]}` + "\n\n"
	chunkStop  = `data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m-1","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}` + "\n\n"
	chunkUsage = `data: {"id":"c1","object":"chat.completion.chunk","created":7,"model":"m-1","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":2,"total_tokens":12}}` + "\n\n"
	chunkDone  = "data: [DONE]\n\n"
)

func stream(parts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		for _, part := range parts {
			io.WriteString(w, part)
			w.(http.Flusher).Flush()
		}
	}
}

var whole = stream(chunkHello, chunkThere, chunkStop, chunkUsage, chunkDone)

// cut sends parts and breaks the connection.
func cut(parts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		stream(parts...)(w, r)
		panic(http.ErrAbortHandler)
	}
}

// hang sends parts and waits until the client is gone, which gone tells.
func hang(gone chan<- struct{}, parts ...string) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if len(parts) > 0 {
			stream(parts...)(w, r)
		}
		<-r.Context().Done()
		close(gone)
	}
}

var errSink = errors.New("the sink broke")
