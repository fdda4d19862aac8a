package gpt_test

import (
	"context"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/services/gpt"
)

// resetting is a provider at the level of TCP: of each connection it reads a
// whole request, counts it by its message, and breaks the connection by the
// script's next step.
type resetting struct {
	listener net.Listener
	mu       sync.Mutex
	seen     map[string]int // by message
	group    sync.WaitGroup
}

func newResetting(t *testing.T, seed uint64) *resetting {
	t.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &resetting{listener: listener, seen: map[string]int{}}
	t.Cleanup(func() {
		listener.Close()
		p.group.Wait()
	})
	random := rand.New(rand.NewPCG(seed, 1))
	p.group.Go(func() {
		for {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			p.mu.Lock()
			step := random.IntN(5)
			p.mu.Unlock()
			p.group.Go(func() { p.serve(conn.(*net.TCPConn), step) })
		}
	})
	return p
}

// serve answers requests of a connection; the step says how it ends.
func (p *resetting) serve(conn *net.TCPConn, step int) {
	defer conn.Close()
	buffer := make([]byte, 64<<10)
	for served := 0; ; served++ {
		if step == 0 && served == 0 {
			conn.SetLinger(0) // reset before anything was read
			return
		}
		text := ""
		for !strings.Contains(text, "call-") || !strings.HasSuffix(text, "}") {
			n, err := conn.Read(buffer)
			if err != nil {
				return
			}
			text += string(buffer[:n])
		}
		name := text[strings.Index(text, "call-"):]
		name = name[:strings.IndexByte(name, '"')]
		p.mu.Lock()
		p.seen[name]++
		p.mu.Unlock()
		switch step {
		case 1: // reset after the request was read
			conn.SetLinger(0)
			return
		case 2: // closed after half a head
			io.WriteString(conn, "HTTP/1.1 200 OK\r\nContent-")
			return
		case 3: // closed behind a whole answer that promised to be kept alive
			if served == 1 {
				conn.SetLinger(0)
				return
			}
		}
		body := chunkHello + chunkStop + chunkUsage + chunkDone
		fmt.Fprintf(conn, "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nContent-Length: %d\r\n\r\n%s", len(body), body)
	}
}

// Under connection resets of every kind no call reaches the provider twice, and
// one that may have begun is closed as unknown.
func TestNoCallIsSentTwice(t *testing.T) {
	t.Parallel()
	p := newResetting(t, 3)
	r := start(t, setup{config: func(c *gpt.Config) {
		c.Providers = map[string]gpt.ProviderConfig{"a": {BaseURL: "http://" + p.listener.Addr().String() + "/v1", Models: []string{"m"}}}
		c.Breaker.Failures = 1 << 30
		c.Retry.Budget = 1
	}})
	const calls = 300
	var group sync.WaitGroup
	slots := make(chan struct{}, 8)
	outcomes := map[string]int{}
	var mu sync.Mutex
	for i := range calls {
		slots <- struct{}{}
		group.Go(func() {
			defer func() { <-slots }()
			req := ask("m")
			req.RequestId = fmt.Sprintf("req_%d", i)
			req.Turn.Messages[0].Parts[0] = &conversationv1.ContentPart{Kind: &conversationv1.ContentPart_Text{Text: fmt.Sprintf("call-%d", i)}}
			got := r.generate(t.Context(), req)
			mu.Lock()
			outcomes[got.reason()]++
			mu.Unlock()
		})
	}
	group.Wait()
	p.mu.Lock()
	defer p.mu.Unlock()
	reached, doubled := 0, 0
	for _, n := range p.seen {
		reached++
		if n > 1 {
			doubled++
		}
	}
	t.Logf("%d calls, %d reached the provider, %d of them twice; %v", calls, reached, doubled, outcomes)
	if doubled != 0 || outcomes["finished"] == 0 || outcomes["PROVIDER_UNREACHABLE"] == 0 {
		t.Errorf("%d doubled of %d", doubled, reached)
	}
	unknown := 0
	rows, err := r.ListAttempts(t.Context(), &gptv1.ListAttemptsRequest{PageSize: 1000})
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range rows.GetAttempts() {
		if row.GetState() != gptv1.Attempt_STATE_SETTLED {
			t.Errorf("not settled: %v", row)
		}
		if row.GetOutcome() == gptv1.Attempt_OUTCOME_UNKNOWN {
			unknown++
		}
	}
	if unknown == 0 {
		t.Error("no attempt is unknown")
	}
}

// No byte of a call reaches a provider before its row is in the ledger.
func TestRowBeforeTheFirstByte(t *testing.T) {
	t.Parallel()
	var r *rig
	var missing atomic.Int32
	env := openai(t, script(func(w http.ResponseWriter, req *http.Request) {
		rows, err := r.ListAttempts(context.Background(), &gptv1.ListAttemptsRequest{PageSize: 1000})
		reserved := 0
		for _, row := range rows.GetAttempts() {
			if row.GetState() == gptv1.Attempt_STATE_RESERVED {
				reserved++
			}
		}
		if err != nil || reserved == 0 {
			missing.Add(1)
		}
		whole(w, req)
	}))
	r = start(t, setup{env: env})
	for range 20 {
		if got := r.generate(t.Context(), ask("m")); got.reason() != "finished" {
			t.Fatal(got.reason())
		}
	}
	if n := missing.Load(); n != 0 {
		t.Errorf("%d calls came before their rows", n)
	}
}

// server is a provider that keeps its own account: an answer's id and the tokens
// that it sent.
type server struct {
	mu     sync.Mutex
	next   int
	served map[string]*account
}

type account struct {
	tokens int64
	whole  bool // it came to its end
}

func (s *server) handle(w http.ResponseWriter, r *http.Request) {
	io.Copy(io.Discard, r.Body)
	s.mu.Lock()
	s.next++
	id, random := fmt.Sprintf("c%d", s.next), rand.New(rand.NewPCG(uint64(s.next), 5))
	s.mu.Unlock()
	length, kind := 1+random.IntN(12), random.IntN(6)
	switch kind {
	case 0:
		w.WriteHeader(500)
		return
	case 1:
		w.Header().Set("Retry-After-Ms", "1")
		w.WriteHeader(429)
		return
	}
	own := &account{}
	s.mu.Lock()
	s.served[id] = own
	s.mu.Unlock()
	w.Header().Set("Content-Type", "text/event-stream")
	for i := range length {
		fmt.Fprintf(w, `data: {"id":"%s","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{"content":"w%d "},"finish_reason":null}]}`+"\n\n", id, i)
		s.mu.Lock()
		own.tokens++
		s.mu.Unlock()
		if random.IntN(3) > 0 {
			w.(http.Flusher).Flush()
		}
		if random.IntN(4) == 0 {
			time.Sleep(time.Duration(random.IntN(1000)) * time.Microsecond)
		}
		if kind == 2 && i == length/2 {
			w.(http.Flusher).Flush()
			panic(http.ErrAbortHandler)
		}
	}
	s.mu.Lock()
	own.whole = true
	s.mu.Unlock()
	fmt.Fprintf(w, `data: {"id":"%s","object":"chat.completion.chunk","created":7,"model":"m","choices":[{"index":0,"delta":{},"finish_reason":"stop"}]}`+"\n\n", id)
	fmt.Fprintf(w, `data: {"id":"%s","object":"chat.completion.chunk","created":7,"model":"m","choices":[],"usage":{"prompt_tokens":10,"completion_tokens":%d,"total_tokens":1}}`+"\n\n", id, length)
	io.WriteString(w, chunkDone)
}

// Whatever order chunks, leaving clients, dying processes and retries come in:
// every answer that the provider served has one settled row; a whole one counts
// what the provider counted, a broken one never more than it sent and never less
// than the client got.
func TestLedgerSaysWhatWasServed(t *testing.T) {
	t.Parallel()
	for name, s := range map[string]func(*testing.T) setup{
		"sqlite":   func(t *testing.T) setup { return setup{db: database(t)} },
		"postgres": func(t *testing.T) setup { return setup{pg: onPostgres(t)} },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			books := &server{served: map[string]*account{}}
			with := s(t)
			with.env = openai(t, func(w http.ResponseWriter, r *http.Request) {
				if r.Method == http.MethodGet {
					script()(w, r)
					return
				}
				books.handle(w, r)
			})
			with.config = func(c *gpt.Config) {
				c.Breaker.Failures, c.Retry.Budget = 1<<30, 1
				c.Ledger.Heartbeat, c.Ledger.Grace = time.Hour, 3*time.Hour
			}
			got := map[string]int64{} // tokens that clients got, by the provider's id
			var mu sync.Mutex
			for life := range 3 {
				// The next process comes while the calls of this one are under way; on the
				// embedded store it settles their rows, as after a kill.
				r := start(t, with)
				var group sync.WaitGroup
				for i := range 40 {
					random := rand.New(rand.NewPCG(uint64(life), uint64(i)))
					leave := random.IntN(20)
					group.Go(func() {
						ctx, cancel := context.WithCancel(t.Context())
						defer cancel()
						req := ask("m")
						req.Turn.AcceptWire = conversationv1.Wire_WIRE_OPENAI_CHAT
						id, chunks := "", 0
						_ = r.Generate(ctx, req, func(resp *gptv1.GenerateResponse) error {
							for _, event := range resp.GetChunk().GetEvents() {
								if started := event.GetStarted(); started != nil {
									id = started.GetProviderResponseId()
								}
							}
							mu.Lock()
							got[id] += int64(strings.Count(string(resp.GetChunk().GetRaw().GetData()), `"content":"w`))
							mu.Unlock()
							if chunks++; chunks > leave {
								cancel()
							}
							return nil
						})
					})
				}
				if life == 1 {
					start(t, with)
				}
				group.Wait()
			}
			last := start(t, with)
			rows, err := last.ListAttempts(context.WithoutCancel(t.Context()), &gptv1.ListAttemptsRequest{PageSize: 1000})
			if err != nil {
				t.Fatal(err)
			}
			settled, whole, served := int64(0), 0, int64(0)
			byID := map[string]*gptv1.Attempt{}
			for _, row := range rows.GetAttempts() {
				if row.GetState() != gptv1.Attempt_STATE_SETTLED {
					t.Errorf("not settled: %v", row)
				}
				if id := row.GetProviderResponseId(); id != "" {
					if byID[id] != nil {
						t.Errorf("two rows for %s", id)
					}
					byID[id] = row
				}
			}
			books.mu.Lock()
			defer books.mu.Unlock()
			for id, row := range byID {
				did := books.served[id]
				used := row.GetUsage().GetOutputTokens()
				if row.GetOutcome() == gptv1.Attempt_OUTCOME_COMPLETED {
					whole++
					settled, served = settled+used, served+did.tokens
					if used != did.tokens || row.GetUsage().GetInputTokens() != 10 {
						t.Errorf("%s: settled %v, served %+v", id, row.GetUsage(), did)
					}
					continue
				}
				// The end's events are counted as tokens where they were passed on.
				if used > did.tokens+3 || used < got[id] {
					t.Errorf("%s: settled %d, sent %d, got %d: %v", id, used, did.tokens, got[id], row)
				}
			}
			calls := books.next
			if len(rows.GetAttempts()) < calls {
				t.Errorf("%d calls of the provider, %d rows", calls, len(rows.GetAttempts()))
			}
			if settled != served || whole == 0 {
				t.Errorf("settled %d, served %d, %d whole answers", settled, served, whole)
			}
			t.Logf("%d calls, %d rows, %d whole answers, %d tokens served and settled", calls, len(rows.GetAttempts()), whole, served)
		})
	}
}
