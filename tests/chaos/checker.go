package chaos

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	eventv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/event/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	requestv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/request/v1"
	responsev1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/response/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/tests/harness"
	"github.com/gptmesh/gptmesh/tests/harness/face"
	"github.com/gptmesh/gptmesh/tests/harness/provider"
)

// report is what a run has brought.
type report struct {
	Turns    int
	Outcomes map[outcome]int
	Calls    int // of clients, with those made again
	Faults   map[string]int

	ProviderCalls int
	LedgerRows    int
	Events        int // ends of requests that events must tell
	Delivered     int // those that the broker tells

	// These must be 0.
	Missing     int // acknowledged, and not there
	Doubled     int // answered, stored or served twice
	Unledgered  int // provider calls without a row
	Unsettled   int // rows, requests or answers that never came to an end
	Disagreeing int // request and answer that do not say the same
	Untold      int // requests whose end no event tells
	Undelivered int // requests whose end the broker does not tell
}

func (r *report) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "turns %d, calls of clients %d", r.Turns, r.Calls)
	for _, o := range []outcome{answered, interrupted, failed, unserved, hung} {
		fmt.Fprintf(&b, ", %s %d", o, r.Outcomes[o])
	}
	fmt.Fprintf(&b, "\nprovider calls %d, ledger rows %d", r.ProviderCalls, r.LedgerRows)
	fmt.Fprintf(&b, "\nacknowledged but missing %d, doubled %d, provider calls without ledger row %d, never ended %d, request and answer disagree %d, events lost %d of %d, not at the broker %d",
		r.Missing, r.Doubled, r.Unledgered, r.Unsettled, r.Disagreeing, r.Untold, r.Events, r.Undelivered)
	b.WriteString("\nfaults:")
	var names []string
	for name := range r.Faults {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&b, " %s %d,", name, r.Faults[name])
	}
	return strings.TrimSuffix(b.String(), ",")
}

// checker compares the clients' view with what the mesh has kept.
type checker struct {
	t        *testing.T
	mesh     *harness.Mesh
	provider *provider.Provider
	report   *report
	mu       sync.Mutex
	ends     map[string]string // type of event by request
}

func (c *checker) count(n *int, what string, args ...any) {
	c.mu.Lock()
	defer c.mu.Unlock()
	*n++
	c.t.Errorf(what, args...)
}

// check checks every turn.
func (c *checker) check(ctx context.Context, turns []*turn) {
	c.report.Turns, c.report.Outcomes = len(turns), map[outcome]int{}
	work := make(chan *turn)
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for t := range work {
				c.turn(ctx, t)
			}
		})
	}
	for _, t := range turns {
		c.report.Outcomes[t.outcome]++
		c.report.Calls += t.calls
		work <- t
	}
	close(work)
	all.Wait()
	c.events(ctx)
}

// events reads the log of events from its beginning: the end of every request
// is told.
func (c *checker) events(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, askLimit)
	defer cancel()
	told := map[string]map[string]bool{}
	err := eventv1.RemoteEventService(c.mesh.Conn("request")).Subscribe(ctx, &eventv1.SubscribeRequest{
		Subjects: []string{"request.*"}, Start: &eventv1.Start{At: &eventv1.Start_Earliest{Earliest: true}}, UntilNow: true,
	}, func(m *eventv1.SubscribeResponse) error {
		if m.GetEvent() == nil {
			return nil
		}
		payload, err := m.GetEvent().GetPayload().UnmarshalNew()
		if err != nil {
			return err
		}
		if of, ok := payload.(interface{ GetRequestId() string }); ok {
			if told[of.GetRequestId()] == nil {
				told[of.GetRequestId()] = map[string]bool{}
			}
			told[of.GetRequestId()][m.GetEvent().GetType()] = true
		}
		return nil
	})
	if err != nil {
		c.t.Errorf("the log of events cannot be read: %v", err)
	}
	c.report.Events = len(c.ends)
	for id, want := range c.ends {
		if !told[id][want] {
			c.count(&c.report.Untold, "request %s ended with %s, and its events are %v", id, want, told[id])
		}
	}
}

// endOf is the type of the event that tells a request's end.
func endOf(r *requestv1.Request) string {
	switch r.GetState() {
	case requestv1.Request_STATE_COMPLETED:
		return "request.completed"
	case requestv1.Request_STATE_CANCELLED:
		return "request.cancelled"
	}
	return "request.failed"
}

// settled waits until all requests of a turn are final.
func (c *checker) settled(ctx context.Context, t *turn) []*requestv1.Request {
	deadline := time.Now().Add(askLimit)
	for {
		resp, err := c.mesh.Request().ListRequests(ctx, &requestv1.ListRequestsRequest{UserId: t.scene, PageSize: 1000})
		open := slices.ContainsFunc(resp.GetRequests(), func(r *requestv1.Request) bool { return r.GetFinishTime() == nil })
		if err == nil && !open {
			return resp.GetRequests()
		}
		if time.Now().After(deadline) {
			c.count(&c.report.Unsettled, "%s: its requests are not final: %v %v", t.scene, resp, err)
			return resp.GetRequests()
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func (c *checker) turn(ctx context.Context, t *turn) {
	if t.outcome == hung {
		c.t.Errorf("%s: a client hangs: %v %+v", t.scene, t.err, t.answer)
	}
	requests := c.settled(ctx, t)
	calls := c.provider.Calls(t.scene)
	rows, whole, completed := 0, 0, 0
	for _, r := range requests {
		rows += c.ledger(ctx, t, r)
		if r.GetFinishTime() != nil {
			c.mu.Lock()
			if c.ends == nil {
				c.ends = map[string]string{}
			}
			c.ends[r.GetId()] = endOf(r)
			c.mu.Unlock()
		}
		if r.GetState() == requestv1.Request_STATE_COMPLETED {
			completed++
		}
		c.answer(ctx, t, r)
	}
	for _, call := range calls {
		if call.Whole() {
			whole++
		}
	}
	c.mu.Lock()
	c.report.ProviderCalls += len(calls)
	c.report.LedgerRows += rows
	c.mu.Unlock()
	if rows < len(calls) {
		c.count(&c.report.Unledgered, "%s (%s): %d calls of the provider, %d rows", t.scene, t.kind, len(calls), rows)
	}
	if begun := len(calls) - t.declined(len(calls)); completed > 1 || whole > 1 || begun > 1 {
		c.count(&c.report.Doubled, "%s (%s): %d completed requests, %d calls begun by the provider, %d whole: %v", t.scene, t.kind, completed, begun, whole, requests)
	}
	if t.outcome == answered {
		if t.answer.Text != t.text {
			c.count(&c.report.Missing, "%s (%s): answered with %q, want %q", t.scene, t.kind, t.answer.Text, t.text)
		}
		if completed == 0 {
			c.count(&c.report.Missing, "%s (%s): its client saw the end, and no request is completed: %v", t.scene, t.kind, requests)
		}
	}
}

// ledger counts the rows of a request, which must be settled.
func (c *checker) ledger(ctx context.Context, t *turn, r *requestv1.Request) int {
	deadline := time.Now().Add(askLimit)
	for {
		resp, err := c.mesh.GPT().ListAttempts(ctx, &gptv1.ListAttemptsRequest{RequestId: r.GetId(), PageSize: 1000})
		open := slices.ContainsFunc(resp.GetAttempts(), func(a *gptv1.Attempt) bool { return a.GetState() != gptv1.Attempt_STATE_SETTLED })
		if err == nil && !open {
			return len(resp.GetAttempts())
		}
		if time.Now().After(deadline) {
			c.count(&c.report.Unsettled, "%s: rows are not settled: %v %v", t.scene, resp, err)
			return len(resp.GetAttempts())
		}
		time.Sleep(100 * time.Millisecond)
	}
}

// answer compares a request with its answer and its session.
func (c *checker) answer(ctx context.Context, t *turn, r *requestv1.Request) {
	got, err := c.mesh.Response().GetResponse(ctx, &responsev1.GetResponseRequest{ResponseId: r.GetResponseId()})
	if face.Reason(err) == "RESPONSE_NOT_FOUND" {
		if r.GetState() == requestv1.Request_STATE_COMPLETED {
			c.count(&c.report.Missing, "%s: request %s is completed and has no answer", t.scene, r.GetId())
		}
		return
	}
	if err != nil {
		c.count(&c.report.Unsettled, "%s: %v", t.scene, err)
		return
	}
	state := got.GetResponse().GetState()
	if state == responsev1.Response_STATE_RUNNING {
		c.count(&c.report.Unsettled, "%s: answer %s still runs", t.scene, r.GetResponseId())
	}
	whole := r.GetState() == requestv1.Request_STATE_COMPLETED
	if whole != (state == responsev1.Response_STATE_COMPLETED) {
		c.count(&c.report.Disagreeing, "%s (%s): request %s is %v, its answer %v", t.scene, t.kind, r.GetId(), r.GetState(), state)
	}
	if r.GetSessionId() == "" {
		return
	}
	if !whole {
		return
	}
	deadline := time.Now().Add(askLimit)
	for {
		page, err := c.mesh.Session().ListMessages(ctx, &sessionv1.ListMessagesRequest{SessionId: r.GetSessionId(), PageSize: 100})
		n := 0
		for _, m := range page.GetMessages() {
			if m.GetRole() == conversationv1.Role_ROLE_ASSISTANT && textOf(m) == t.text {
				n++
			}
		}
		switch {
		case err == nil && n == 1 && len(page.GetMessages()) == 2:
			return
		case n > 1 || len(page.GetMessages()) > 2:
			c.count(&c.report.Doubled, "%s: its session holds %v", t.scene, page.GetMessages())
			return
		case time.Now().After(deadline):
			c.count(&c.report.Missing, "%s (%s): completed, and its session %s holds %v %v", t.scene, t.kind, r.GetSessionId(), page.GetMessages(), err)
			return
		}
		time.Sleep(100 * time.Millisecond)
	}
}

func textOf(m *conversationv1.Message) string {
	text := ""
	for _, p := range m.GetParts() {
		text += p.GetText()
	}
	return text
}
