package gpt_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/services/gpt"
	sdktrace "go.opentelemetry.io/otel/sdk/trace"
	"go.opentelemetry.io/otel/sdk/trace/tracetest"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/protobuf/proto"
)

// Without a row there is no answer, and the provider's call is ended.
func TestNoLedgerNoAnswer(t *testing.T) {
	t.Parallel()
	for _, ledger := range ledgers() {
		r := start(t, setup{config: func(c *gpt.Config) {
			c.Ledger = ledger
			c.Ledger.WriteTimeout = 100 * time.Millisecond
		}})
		if err := r.db.Close(); err != nil {
			t.Fatal(err)
		}
		got := r.generate(t.Context(), ask("echo?first=10s"))
		if got.reason() != "STORE_UNAVAILABLE" || len(got.chunks) != 0 {
			t.Errorf("%+v: %s %v", ledger, got.reason(), got.err)
		}
	}
}

// ledgers are the ways to wait for a row before its call.
func ledgers() []gpt.LedgerConfig {
	none, written := gpt.DefaultConfig().Ledger, gpt.DefaultConfig().Ledger
	none.ReserveFirst = false
	flushed := none // it needs no other
	flushed.FlushFirst = true
	return []gpt.LedgerConfig{none, written, flushed}
}

func TestReserveFirst(t *testing.T) {
	t.Parallel()
	for _, ledger := range ledgers() {
		r := start(t, setup{config: func(c *gpt.Config) { c.Ledger = ledger }})
		if got := r.generate(t.Context(), ask("echo")); got.reason() != "finished" || r.only(t).GetOutcome() != gptv1.Attempt_OUTCOME_COMPLETED {
			t.Errorf("%+v: %s %v", ledger, got.reason(), got.err)
		}
	}
}

func onPostgres(t *testing.T) *postgres.DB {
	t.Helper()
	db, err := postgres.Open(t.Context(), postgres.Config{URL: pgtest.DB(t), Schema: "gpt"})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(db.Close)
	_, migrations := gpt.Migrations()
	if _, err := db.Migrate(t.Context(), migrations); err != nil {
		t.Fatal(err)
	}
	return db
}

// Two processes share a ledger: one does not take the other for dead.
func TestProcessesShareALedger(t *testing.T) {
	t.Parallel()
	db := onPostgres(t)
	first := start(t, setup{pg: db})
	ctx, cancel := context.WithCancel(t.Context())
	seen, ended := make(chan struct{}, 8), make(chan struct{})
	go func() {
		defer close(ended)
		first.Generate(ctx, ask("echo?fail=stall"), func(*gptv1.GenerateResponse) error {
			seen <- struct{}{}
			return nil
		})
	}()
	<-seen
	second := start(t, setup{pg: db})
	if row := second.attempts(t)[0]; row.GetState() != gptv1.Attempt_STATE_RESERVED {
		t.Errorf("the row of a living process: %v", row)
	}
	cancel()
	<-ended
	if row := second.only(t); row.GetOutcome() != gptv1.Attempt_OUTCOME_CANCELLED {
		t.Error(row)
	}
}

// Many calls that end in every way: each attempt is settled, once, and finished
// answers count what the provider counted.
func TestEveryAttemptIsSettled(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]func(*testing.T) setup{
		"sqlite":   func(*testing.T) setup { return setup{} },
		"postgres": func(t *testing.T) setup { return setup{pg: onPostgres(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, s(t))
			models := []string{"echo", "echo?tokens=20", "echo?fail=after", "echo?fail=truncate", "echo?fail=503", "echo?fail=stall", "echo?delay=1ms&tokens=9", "echo?usage=none"}
			var group sync.WaitGroup
			var mu sync.Mutex
			told := map[string]*conversationv1.Usage{} // by request, of answers that were finished
			for i := range 80 {
				random := rand.New(rand.NewPCG(7, uint64(i)))
				model := models[random.IntN(len(models))]
				leaveAfter := random.IntN(6)
				group.Go(func() {
					ctx, cancel := context.WithCancel(t.Context())
					defer cancel()
					req := ask(model)
					req.RequestId = fmt.Sprintf("req_%d", i)
					chunks, last := 0, (*conversationv1.Usage)(nil)
					_ = r.Generate(ctx, req, func(resp *gptv1.GenerateResponse) error {
						chunks++
						for _, event := range resp.GetChunk().GetEvents() {
							if event.GetUsage() != nil {
								last = proto.CloneOf(event.GetUsage()) // lent for the time of this call
							}
							if event.GetFinished() != nil {
								mu.Lock()
								told[req.GetRequestId()] = last
								mu.Unlock()
							}
						}
						if chunks > leaveAfter || model == "echo?fail=stall" {
							cancel()
						}
						return nil
					})
				})
			}
			group.Wait()
			resp, err := r.ListAttempts(t.Context(), &gptv1.ListAttemptsRequest{PageSize: 1000})
			if err != nil {
				t.Fatal(err)
			}
			seen := map[string]bool{}
			for _, a := range resp.GetAttempts() {
				seen[a.GetRequestId()] = true
				if a.GetState() != gptv1.Attempt_STATE_SETTLED || a.GetOutcome() == gptv1.Attempt_OUTCOME_UNSPECIFIED || a.GetOutcome() == gptv1.Attempt_OUTCOME_UNKNOWN {
					t.Errorf("%v", a)
				}
				if usage := told[a.GetRequestId()]; a.GetOutcome() == gptv1.Attempt_OUTCOME_COMPLETED && usage != nil && !proto.Equal(usage, a.GetUsage()) {
					t.Errorf("the client was told %v, the ledger holds %v", usage, a.GetUsage())
				}
			}
			if len(seen) != 80 || len(told) == 0 {
				t.Errorf("%d requests have attempts, %d were finished", len(seen), len(told))
			}
		})
	}
}

func TestTraceReachesTheProvider(t *testing.T) {
	t.Parallel()
	header := make(chan http.Header, 1)
	r := start(t, setup{env: openai(t, script(func(w http.ResponseWriter, req *http.Request) {
		header <- req.Header.Clone()
		whole(w, req)
	}))})
	id := trace.TraceID{1, 2, 3}
	ctx := trace.ContextWithSpanContext(t.Context(), trace.NewSpanContext(trace.SpanContextConfig{
		TraceID: id, SpanID: trace.SpanID{4}, TraceFlags: trace.FlagsSampled,
	}))
	if got := r.generate(ctx, ask("m")); got.reason() != "finished" {
		t.Fatal(got.err)
	}
	h := <-header
	if !strings.Contains(h.Get("Traceparent"), id.String()) || h.Get("User-Agent") != "gptmesh/dev" {
		t.Errorf("%v", h)
	}
}

// What a provider's dialect cannot carry is named by the attempt's span.
func TestSpanNamesDroppedFields(t *testing.T) {
	t.Parallel()
	spans := tracetest.NewSpanRecorder()
	r := start(t, setup{env: openai(t, script(whole)), tracer: sdktrace.NewTracerProvider(sdktrace.WithSpanProcessor(spans)).Tracer("test")})
	plain, lossy := ask("m"), ask("m")
	lossy.Turn.ExtraWire, lossy.Turn.ExtraJson = conversationv1.Wire_WIRE_ANTHROPIC_MESSAGES, `{"mcp_servers":[],"container":"c"}`
	for i, c := range []struct {
		req  *gptv1.GenerateRequest
		want string
	}{{plain, ""}, {lossy, `["mcp_servers","container"]`}} {
		if got := r.generate(t.Context(), c.req); got.reason() != "finished" {
			t.Fatal(got.reason(), got.err)
		}
		got := ""
		for _, a := range spans.Ended()[i].Attributes() {
			if a.Key == "gptmesh.dropped_fields" {
				got = a.Value.String()
			}
		}
		if got != c.want {
			t.Errorf("the span says %q was dropped, want %q", got, c.want)
		}
	}
}

// Rows of the ledger that are older than they are kept go.
func TestOldRowsGo(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	r.generate(t.Context(), ask("echo"))
	r.only(t)
	later := start(t, setup{db: r.db, clock: func() time.Time { return time.Now().Add(48 * time.Hour) }, config: func(c *gpt.Config) {
		c.Ledger.Retention, c.Ledger.SweepInterval = 24*time.Hour, 5*time.Millisecond
	}})
	tick, late := time.NewTicker(5*time.Millisecond), time.After(time.Minute)
	defer tick.Stop()
	for len(later.attempts(t)) > 0 {
		select {
		case <-tick.C:
		case <-late:
			t.Fatal("the row is still there")
		}
	}
}
