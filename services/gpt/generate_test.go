package gpt_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/services/gpt"
	"google.golang.org/protobuf/proto"
)

func TestEchoByDefault(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	got := r.generate(t.Context(), ask(""))
	if got.reason() != "finished" || got.text() != "one two three four" {
		t.Fatalf("%s %q", got.reason(), got.text())
	}
	started := got.chunks[0].GetEvents()[0].GetStarted()
	row := r.only(t)
	if started.GetAttemptId() != row.GetId() || started.GetProvider() != "echo" || started.GetSessionId() != "ses_1" {
		t.Errorf("started: %v", started)
	}
	if row.GetOutcome() != gptv1.Attempt_OUTCOME_COMPLETED || row.GetUsage().GetOutputTokens() != 4 ||
		row.GetUsage().GetSource() != conversationv1.UsageSource_USAGE_SOURCE_PROVIDER || row.GetRequestId() != "req_1" ||
		row.GetResponseId() != "resp_1" || row.GetNumber() != 1 || row.GetFirstTokenMicros() == 0 || row.GetOwner() != "local" {
		t.Errorf("row: %v", row)
	}
}

// The row is settled before the client sees the terminal event, and reserved
// before it sees anything.
func TestLedgerGoesBeforeTheClient(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	err := r.Generate(t.Context(), ask("echo"), func(resp *gptv1.GenerateResponse) error {
		events := resp.GetChunk().GetEvents()
		row := r.attempts(t)[0]
		terminal := events[len(events)-1].GetFinished() != nil
		if settled := row.GetState() == gptv1.Attempt_STATE_SETTLED; settled != terminal {
			t.Errorf("terminal %v, settled %v", terminal, settled)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

func TestRawPassesThrough(t *testing.T) {
	t.Parallel()
	r := start(t, setup{env: openai(t, script(whole))})
	req := ask("m")
	req.Turn.Messages = nil
	req.Turn.AcceptWire = conversationv1.Wire_WIRE_OPENAI_CHAT
	req.Turn.Raw = &conversationv1.RawTurn{
		Wire: conversationv1.Wire_WIRE_OPENAI_CHAT,
		Body: []byte(`{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}],"stream_options":{"include_usage":true}}`),
	}
	got := r.generate(t.Context(), req)
	var data strings.Builder
	for _, chunk := range got.chunks {
		data.Write(chunk.GetRaw().GetData())
		for _, event := range chunk.GetEvents() {
			if event.GetText() != nil || event.GetChoiceFinished() != nil {
				t.Errorf("a delta beside the raw half: %v", event)
			}
		}
	}
	if want := chunkHello + chunkThere + chunkStop + chunkUsage + chunkDone; data.String() != want || got.reason() != "finished" {
		t.Errorf("%s: %q", got.reason(), data.String())
	}
	if row := r.only(t); row.GetUsage().GetInputTokens() != 10 || row.GetUsage().GetSource() != conversationv1.UsageSource_USAGE_SOURCE_PROVIDER {
		t.Error(row)
	}
	// The mesh asked for usage; this client did not.
	req.Turn.Raw.Body = []byte(`{"model":"m","stream":true,"messages":[{"role":"user","content":"hi"}]}`)
	got = r.generate(t.Context(), req)
	data.Reset()
	for _, chunk := range got.chunks {
		data.Write(chunk.GetRaw().GetData())
	}
	if strings.Contains(data.String(), "usage") || got.usage().GetInputTokens() != 10 {
		t.Errorf("%q %v", data.String(), got.usage())
	}
}

func TestTranslatesOtherWires(t *testing.T) {
	t.Parallel()
	r := start(t, setup{env: openai(t, script(whole))})
	req := ask("m")
	req.Turn.Messages = nil
	req.Turn.AcceptWire = conversationv1.Wire_WIRE_OLLAMA_CHAT
	req.Turn.Raw = &conversationv1.RawTurn{
		Wire: conversationv1.Wire_WIRE_OLLAMA_CHAT,
		Body: []byte(`{"model":"m","messages":[{"role":"user","content":"hi"}]}`),
	}
	got := r.generate(t.Context(), req)
	if got.text() != "Hello there" || got.reason() != "finished" || got.chunks[0].GetRaw() != nil {
		t.Errorf("%s %q", got.reason(), got.text())
	}
}

func TestRetriesBeforeTheFirstChunkOnly(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		steps    []http.HandlerFunc
		reason   string
		attempts int
	}{
		"503 twice, then well":  {[]http.HandlerFunc{status(503), status(503), whole}, "finished", 3},
		"429 with a short wait": {[]http.HandlerFunc{status(429, "Retry-After-Ms", "1"), whole}, "finished", 2},
		"429 with a long wait":  {[]http.HandlerFunc{status(429, "Retry-After", "600"), whole}, "PROVIDER_RATE_LIMITED", 1},
		"the budget ends":       {[]http.HandlerFunc{status(500)}, "PROVIDER_ERROR", 3},
		"400 is final":          {[]http.HandlerFunc{status(400), whole}, "PROVIDER_REJECTED", 1},
		"401 is final":          {[]http.HandlerFunc{status(401), whole}, "PROVIDER_REFUSED_KEY", 1},
		"broken before answer":  {[]http.HandlerFunc{func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }, whole}, "PROVIDER_UNREACHABLE", 1},
		"cut in the middle":     {[]http.HandlerFunc{cut(chunkHello), whole}, "event STREAM_TRUNCATED", 1},
		"ended in the middle":   {[]http.HandlerFunc{stream(chunkHello), whole}, "event STREAM_TRUNCATED", 1},
		"no event at all":       {[]http.HandlerFunc{stream(), whole}, "STREAM_TRUNCATED", 1},
		"garbage":               {[]http.HandlerFunc{stream("data: {nonsense\n\n"), whole}, "PROVIDER_PROTOCOL", 1},
		"error event at once":   {[]http.HandlerFunc{stream(`data: {"error":{"message":"x","code":"server_error"}}` + "\n\n"), whole}, "PROVIDER_ERROR", 1},
		"error event later": {[]http.HandlerFunc{stream(chunkHello, `data: {"error":{"message":"x","code":"server_error"}}`+"\n\n"), whole},
			"event PROVIDER_ERROR", 1},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := start(t, setup{env: openai(t, script(c.steps...))})
			got := r.generate(t.Context(), ask("m"))
			if got.reason() != c.reason {
				t.Errorf("%s, want %s: %v", got.reason(), c.reason, got.err)
			}
			if got.err != nil && strings.Contains(got.err.Error(), "sk-secret") {
				t.Errorf("the key leaks: %v", got.err)
			}
			attempts := r.attempts(t)
			if len(attempts) != c.attempts {
				t.Errorf("%d attempts, want %d", len(attempts), c.attempts)
			}
			for _, a := range attempts {
				if a.GetState() != gptv1.Attempt_STATE_SETTLED {
					t.Errorf("not settled: %v", a)
				}
			}
			last := attempts[0].GetOutcome()
			if (c.reason == "finished") != (last == gptv1.Attempt_OUTCOME_COMPLETED) {
				t.Errorf("outcome %v", last)
			}
		})
	}
}

func TestServerWordsStayInside(t *testing.T) {
	t.Parallel()
	r := start(t, setup{env: openai(t, script(status(500))), config: func(c *gpt.Config) { c.Retry.MaxAttempts = 1 }})
	got := r.generate(t.Context(), ask("m"))
	row := r.only(t)
	for _, text := range []string{fault.From(got.err).GRPCStatus().String(), row.GetFailure().String()} {
		if strings.Contains(text, "/srv/") {
			t.Errorf("leak: %s", text)
		}
	}
	if u := row.GetUsage(); u.GetInputTokens() != 0 || row.GetFailure().GetMetadata()["status"] != "500" {
		t.Errorf("a refused call was counted: %v", row)
	}
}

func TestCancelClosesTheProvider(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parts  []string
		stream bool
	}{
		"before the first token": {nil, true},
		"in the middle":          {[]string{chunkHello}, true},
		"not streamed":           {nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			gone, begun := make(chan struct{}), make(chan struct{})
			r := start(t, setup{env: openai(t, script(func(w http.ResponseWriter, req *http.Request) {
				close(begun)
				hang(gone, c.parts...)(w, req)
			}))})
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			req := ask("m")
			req.Turn.Stream = c.stream
			seen := make(chan struct{}, 8)
			ended := make(chan error, 1)
			go func() {
				ended <- r.Generate(ctx, req, func(*gptv1.GenerateResponse) error {
					seen <- struct{}{}
					return nil
				})
			}()
			<-begun
			if len(c.parts) > 0 {
				<-seen
			}
			cancel()
			<-gone
			if err := <-ended; err == nil {
				t.Error("no error")
			}
			row := r.only(t)
			if row.GetOutcome() != gptv1.Attempt_OUTCOME_CANCELLED || row.GetUsage().GetSource() != conversationv1.UsageSource_USAGE_SOURCE_PARTIAL ||
				row.GetUsage().GetInputTokens() == 0 {
				t.Errorf("row: %v", row)
			}
			if len(c.parts) > 0 && row.GetUsage().GetOutputTokens() == 0 {
				t.Errorf("nothing was counted: %v", row.GetUsage())
			}
			// The client's leaving says nothing about the provider.
			providers, err := r.ListProviders(t.Context(), &gptv1.ListProvidersRequest{})
			if err != nil || providers.GetProviders()[1].GetState() != gptv1.Provider_STATE_HEALTHY {
				t.Errorf("%v %v", providers, err)
			}
		})
	}
}

func TestSinkErrorStopsTheCall(t *testing.T) {
	t.Parallel()
	gone := make(chan struct{})
	r := start(t, setup{env: openai(t, script(hang(gone, chunkHello)))})
	err := r.Generate(t.Context(), ask("m"), func(*gptv1.GenerateResponse) error { return errSink })
	<-gone
	if !errors.Is(err, errSink) || r.only(t).GetOutcome() != gptv1.Attempt_OUTCOME_CANCELLED {
		t.Errorf("%v %v", err, r.only(t))
	}
}

func TestTimeLimitsHaveTheirOwnReasons(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		parts  []string
		limit  func(*gpt.TimeoutsConfig) *time.Duration
		reason string
	}{
		"not streamed": {nil, func(l *gpt.TimeoutsConfig) *time.Duration { return &l.Answer }, "FIRST_TOKEN_TIMEOUT"},
		"first token":  {nil, func(l *gpt.TimeoutsConfig) *time.Duration { return &l.FirstToken }, "FIRST_TOKEN_TIMEOUT"},
		"idle":         {[]string{chunkHello}, func(l *gpt.TimeoutsConfig) *time.Duration { return &l.Idle }, "event IDLE_TIMEOUT"},
		"total":        {[]string{chunkHello}, func(l *gpt.TimeoutsConfig) *time.Duration { return &l.Total }, "event DEADLINE_EXCEEDED"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var r *rig
			var got answer
			limit := 20 * time.Millisecond
			for ; ; limit *= 2 {
				reached, gone := make(chan struct{}, 1), make(chan struct{})
				provider := script(func(w http.ResponseWriter, r *http.Request) {
					reached <- struct{}{}
					hang(gone, c.parts...)(w, r)
				})
				r = start(t, setup{env: openai(t, provider), config: func(cfg *gpt.Config) { *c.limit(&cfg.Timeouts) = limit }})
				request := ask("m")
				request.Turn.Stream = name != "not streamed"
				got = r.generate(t.Context(), request)
				if len(reached) > 0 && len(got.chunks) >= len(c.parts) { // the provider had the time to do its part
					<-gone
					break
				}
				if limit > 20*time.Second {
					t.Fatalf("%s, and the provider was not asked or not heard", got.reason())
				}
			}
			row := r.only(t)
			meta := row.GetFailure().GetMetadata()
			if got.reason() != c.reason || meta["provider"] != "openai" || meta["limit_ms"] != fmt.Sprint(limit.Milliseconds()) {
				t.Errorf("%s %v", got.reason(), meta)
			}
			outcome := gptv1.Attempt_OUTCOME_FAILED
			if len(c.parts) == 0 {
				// What the provider does with the request, nobody knows.
				if outcome = gptv1.Attempt_OUTCOME_UNKNOWN; fault.From(got.err).Metadata["outcome"] != fault.OutcomeUnknown {
					t.Errorf("the caller was told %v", fault.From(got.err).Metadata)
				}
			}
			if row.GetOutcome() != outcome {
				t.Error(row)
			}
		})
	}
}

// TestFailuresTellWhetherTheProviderBegan is what decides if a call may be made
// again for the same idempotency key.
func TestFailuresTellWhetherTheProviderBegan(t *testing.T) {
	t.Parallel()
	for option, want := range map[string]string{"first=1h": fault.OutcomeUnknown, "fail=500": "", "fail=429": ""} {
		r := start(t, setup{config: func(cfg *gpt.Config) {
			if option == "first=1h" {
				cfg.Timeouts.FirstToken = 50 * time.Millisecond
			}
		}})
		got := r.generate(t.Context(), ask("echo?"+option))
		if f := fault.From(got.err); f == nil || f.Metadata["outcome"] != want {
			t.Errorf("%s: %v", option, f)
		}
	}
	broken := start(t, setup{env: openai(t, script(func(w http.ResponseWriter, _ *http.Request) { panic(http.ErrAbortHandler) }))})
	if f := fault.From(broken.generate(t.Context(), ask("m")).err); f.Metadata["outcome"] != fault.OutcomeUnknown {
		t.Errorf("a connection that broke: %v", f)
	}
}

func TestCallersDeadline(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	for limit := 20 * time.Millisecond; ; limit *= 2 {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		// The room speaks up before the deadline, so that its word still arrives.
		if got := r.generate(ctx, ask("echo?fail=stall")); strings.TrimPrefix(got.reason(), "event ") != "DEADLINE_EXCEEDED" {
			t.Errorf("%s: %v", got.reason(), got.err)
		}
		cancel()
		if len(r.attempts(t)) > 0 || limit > 20*time.Second {
			break // there was time to call the provider
		}
	}
	if row := r.only(t); row.GetFailure().GetMetadata()["room"] != "gpt" || row.GetFailure().GetMetadata()["provider"] != "echo" {
		t.Error(row)
	}
}

func TestUsageIsEstimatedWhereNoneIsGiven(t *testing.T) {
	t.Parallel()
	r := start(t, setup{env: openai(t, script(stream(chunkHello, chunkThere, chunkStop, chunkDone)))})
	got := r.generate(t.Context(), ask("m"))
	row := r.only(t)
	if u := row.GetUsage(); u.GetSource() != conversationv1.UsageSource_USAGE_SOURCE_ESTIMATED || u.GetOutputTokens() != 2 || u.GetInputTokens() == 0 {
		t.Errorf("%v", u)
	}
	if got.usage().GetSource() != conversationv1.UsageSource_USAGE_SOURCE_ESTIMATED {
		t.Errorf("the client saw %v", got.usage())
	}
}

func TestNotStreamed(t *testing.T) {
	t.Parallel()
	const body = `{"id":"c1","object":"chat.completion","created":7,"model":"m-1","choices":[{"index":0,"message":{"role":"assistant","content":"Hello"},"finish_reason":"stop"}],"usage":{"prompt_tokens":3,"completion_tokens":1,"total_tokens":4}}`
	r := start(t, setup{env: openai(t, script(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		io.WriteString(w, body)
	}))})
	req := ask("m")
	req.Turn.Stream = false
	if got := r.generate(t.Context(), req); got.text() != "Hello" || got.reason() != "finished" || len(got.chunks) != 1 {
		t.Errorf("%s %q", got.reason(), got.text())
	}
	req.Turn.AcceptWire = conversationv1.Wire_WIRE_OPENAI_CHAT
	got := r.generate(t.Context(), req)
	if raw := got.chunks[0].GetRaw(); string(raw.GetData()) != body || raw.GetForm() != conversationv1.RawForm_RAW_FORM_JSON || got.text() != "" {
		t.Errorf("%v", raw)
	}
}

func TestBreakerOpens(t *testing.T) {
	t.Parallel()
	calls := make(chan struct{}, 100)
	r := start(t, setup{
		config: func(c *gpt.Config) { c.Retry.MaxAttempts = 1 },
		env: openai(t, script(func(w http.ResponseWriter, req *http.Request) {
			calls <- struct{}{}
			status(500)(w, req)
		})),
	})
	for range 8 {
		r.generate(t.Context(), ask("m"))
	}
	if len(calls) != 5 {
		t.Errorf("%d calls reached the provider", len(calls))
	}
	got := r.generate(t.Context(), ask("m"))
	if got.reason() != "PROVIDER_UNREACHABLE" {
		t.Error(got.err)
	}
	providers, err := r.ListProviders(t.Context(), &gptv1.ListProvidersRequest{})
	if err != nil {
		t.Fatal(err)
	}
	p := providers.GetProviders()[1]
	if p.GetName() != "openai" || p.GetState() != gptv1.Provider_STATE_UNAVAILABLE || !strings.Contains(p.GetReason(), "status 500") {
		t.Error(p)
	}
}

func TestRetriesHaveABudget(t *testing.T) {
	t.Parallel()
	r := start(t, setup{
		config: func(c *gpt.Config) { c.Retry.MaxAttempts, c.Breaker.Failures = 2, 1000 },
		env:    openai(t, script(status(503))),
	})
	const calls = 40
	for range calls {
		r.generate(t.Context(), ask("m"))
	}
	resp, err := r.ListAttempts(t.Context(), &gptv1.ListAttemptsRequest{PageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	if extra := len(resp.GetAttempts()) - calls; extra > 10+calls/10 || extra < 10 {
		t.Errorf("%d retries for %d calls", extra, calls)
	}
}

func TestOwnersAreApart(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	r.generate(as(t.Context(), "key:1"), ask("echo"))
	for owner, want := range map[string]int{"key:1": 1, "key:2": 0} {
		resp, err := r.ListAttempts(as(t.Context(), owner), &gptv1.ListAttemptsRequest{RequestId: "req_1"})
		if err != nil || len(resp.GetAttempts()) != want {
			t.Errorf("%s: %v, %v", owner, resp, err)
		}
	}
}

func TestOrphansAreSettledAtStart(t *testing.T) {
	t.Parallel()
	db := database(t)
	first := start(t, setup{db: db})
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
	// Another process on the same file finds the row of one that is gone.
	second := start(t, setup{db: db})
	row := second.only(t)
	if row.GetOutcome() != gptv1.Attempt_OUTCOME_UNKNOWN || row.GetUsage().GetSource() != conversationv1.UsageSource_USAGE_SOURCE_PARTIAL {
		t.Error(row)
	}
	cancel()
	<-ended
	if again := second.only(t); again.GetOutcome() != gptv1.Attempt_OUTCOME_UNKNOWN {
		t.Errorf("settled twice: %v", again)
	}
}

func TestDrainEndsWithATypedEvent(t *testing.T) {
	t.Parallel()
	r := start(t, setup{})
	seen, got := make(chan struct{}, 8), make(chan answer, 1)
	go func() {
		var a answer
		a.err = r.Generate(context.WithoutCancel(t.Context()), ask("echo?fail=stall"), func(resp *gptv1.GenerateResponse) error {
			a.chunks = append(a.chunks, proto.Clone(resp.GetChunk()).(*conversationv1.Chunk))
			seen <- struct{}{}
			return nil
		})
		got <- a
	}()
	<-seen
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if err := r.room.Drain(ctx); err != nil {
		t.Error(err)
	}
	if a := <-got; a.reason() != "event INTERRUPTED" {
		t.Errorf("%s %v", a.reason(), a.err)
	}
	if got := r.generate(t.Context(), ask("echo")); got.reason() != "SHUTTING_DOWN" {
		t.Error(got.err)
	}
	if r.room.Ready(t.Context()) == nil {
		t.Error("ready while draining")
	}
	if row := r.only(t); row.GetOutcome() != gptv1.Attempt_OUTCOME_FAILED {
		t.Error(row)
	}
}
