package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"github.com/gptmesh/gptmesh/pkg/eventstream"
	"github.com/gptmesh/gptmesh/pkg/upstream"
)

// scenario is one kind of load.
type scenario struct {
	name        string
	stream      bool
	connections int
	duration    time.Duration
	promptBytes int
	tools       int    // of the request, on the chat face
	script      string // what the provider is to do
	tokens      int    // events with text that each stream must have
	rate        int    // requests per second, of all connections; 0 means as many as can be
	// Connections begin one after the other over so long, and go on as they end.
	// What is measured begins when all have and lasts until duration: no crowd
	// begins or ends at once. 0: all begin at once, and all of it is measured.
	spread   time.Duration
	sessions bool // keep each turn in a session
	face     face // of the mesh that is asked
	scripted bool // the script stands in a message, too
	// What follows is for a mesh that has grown; the zero values are one model, one
	// key, no session and one message.
	model   string
	key     func(turn int) string // who asks
	session func(turn int) string // an earlier session
	history int                   // messages before the last one
	turns   int                   // end after so many, though the time is not up
}

// benchKey is the key of whoever asks.
const benchKey = "bench"

// historyBytes is the length of a message of a conversation.
const historyBytes = 400

// result is what one round of a scenario gave.
type result struct {
	from, until      time.Time // only what comes between counts; zero means all
	requests, events atomic.Int64
	elapsed          time.Duration
	cpu              time.Duration
	total, first     *histogram // per request: to the end, to the first byte
	event            *histogram // per event: from its making to its arrival
	memory           int64
	counts           counters
	served           served // by PostgreSQL, where it keeps the rows
}

func newResult() *result {
	return &result{total: newHistogram(), first: newHistogram(), event: newHistogram()}
}

func (r *result) perRequest() time.Duration { return r.cpu / time.Duration(max(r.requests.Load(), 1)) }

// countsAt tells whether what comes now is measured.
func (r *result) countsAt(now time.Time) bool {
	return r.from.IsZero() || now.After(r.from) && now.Before(r.until)
}

// perEvent is 0 where there are no events.
func (r *result) perEvent() time.Duration {
	n := r.events.Load()
	if n == 0 {
		return 0
	}
	return r.cpu / time.Duration(n)
}
func (r *result) rate() float64 { return float64(r.requests.Load()) / r.elapsed.Seconds() }

// fewMessages is how long a conversation is at the most where each request asks something
// else: a longer one is not made anew each time.
const fewMessages = 100

// requests makes the scenario's requests by their number: what is said last differs, so
// that nobody can know an answer, or a text, from before.
func (s scenario) requests(target upstream.Target) func(turn int) *upstream.Request {
	var earlier strings.Builder
	for i := range s.history {
		fmt.Fprintf(&earlier, `{"role":%q,"content":"%d %s"},`, [2]string{"user", "assistant"}[i%2], i, prose(i*historyBytes, historyBytes))
	}
	if s.scripted {
		fmt.Fprintf(&earlier, `{"role":"user","content":"%s%s ."},`, scriptMark, strings.TrimPrefix(s.script, "?"))
	}
	const mark = "\x00"
	before, after, _ := bytes.Cut(s.face.body(s, earlier.String(), mark), []byte(mark))
	ask := func(turn int) []byte {
		number := fmt.Sprintf("%d ", turn)
		return slices.Concat(before, []byte(number), []byte(prose(turn*61, max(0, s.promptBytes-len(number)))), after)
	}
	shared := ask(0)
	return func(turn int) *upstream.Request {
		body := shared
		if s.history <= fewMessages {
			body = ask(turn)
		}
		key := benchKey
		if s.key != nil {
			key = s.key(turn)
		}
		header := []upstream.Field{{Name: "Content-Type", Value: "application/json"}, {Name: "Authorization", Value: "Bearer " + key}}
		switch {
		case s.session != nil:
			header = append(header, upstream.Field{Name: "X-Gptmesh-Session", Value: s.session(turn)})
		case s.sessions:
			header = append(header, upstream.Field{Name: "X-Gptmesh-Session", Value: "new"})
		}
		if s.face.named {
			header = append(header, upstream.Field{Name: "X-Gptmesh-User", Value: s.script})
		}
		return &upstream.Request{Method: "POST", Target: target, Body: body, Header: header}
	}
}

// load runs a scenario against a program and checks every answer: in a closed
// loop, or with requests that are due at times of their own. What such a request
// waits for a free connection is part of its time, so that a slow answer does not
// hide those that it held up.
func load(ctx context.Context, s scenario, p *process) (*result, error) {
	client, err := upstream.New(upstream.Config{})
	if err != nil {
		return nil, err
	}
	defer client.Close()
	if p.admin == "" || s.face.path == "" { // it translates nothing, or nothing is to be
		s.face = chat
	}
	target, err := upstream.ParseTarget("http://" + p.address + s.face.path)
	if err != nil {
		return nil, err
	}
	request := s.requests(target)
	ctx, cancel := context.WithTimeout(ctx, s.duration)
	defer cancel()
	out := newResult()
	var mu sync.Mutex
	var failed error
	var wg sync.WaitGroup
	counts := p.counts()
	start, cpu := time.Now(), p.cpu()
	if s.spread > 0 {
		out.from, out.until = start.Add(s.spread), start.Add(s.duration)
		wg.Go(func() {
			if wait(ctx, out.from) {
				counts, cpu = p.counts(), p.cpu()
				wait(ctx, out.until)
				out.measured(p, out.from, cpu, counts)
			}
		})
	}
	for i := range s.connections {
		wg.Go(func() {
			if s.spread > 0 {
				wait(ctx, start.Add(s.spread*time.Duration(i)/time.Duration(s.connections)))
			}
			for turn := i; ctx.Err() == nil && (s.turns == 0 || turn < s.turns); turn += s.connections {
				begin := time.Now()
				if s.rate > 0 {
					begin = start.Add(time.Duration(turn) * time.Second / time.Duration(s.rate))
					if !wait(ctx, begin) {
						continue
					}
				}
				// A request that has begun is finished: only whole ones count.
				if err := once(context.WithoutCancel(ctx), client, request(turn), s, begin, out); err != nil {
					mu.Lock()
					failed = errors.Join(failed, err)
					mu.Unlock()
					cancel()
					break
				}
			}
		})
	}
	wg.Wait()
	if s.spread == 0 {
		out.measured(p, start, cpu, counts)
	}
	return out, failed
}

// wait waits until a time, or tells that ctx ended before.
func wait(ctx context.Context, until time.Time) bool {
	select {
	case <-time.After(time.Until(until)):
		return true
	case <-ctx.Done():
		return false
	}
}

// measured keeps what the program has used since a time.
func (r *result) measured(p *process, since time.Time, cpu time.Duration, counts counters) {
	r.elapsed, r.cpu, r.memory = time.Since(since), p.cpu()-cpu, p.memory()
	r.counts = p.counts().minus(counts)
}

func once(ctx context.Context, client upstream.Doer, request *upstream.Request, s scenario, begin time.Time, r *result) error {
	resp, err := client.Do(ctx, request)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	if resp.Status != 200 {
		text, _ := io.ReadAll(io.LimitReader(resp.Body, 500))
		return fmt.Errorf("status %d: %s", resp.Status, text)
	}
	if s.stream {
		err = readStream(resp.Body, s, begin, r)
	} else {
		err = readWhole(resp.Body, s, begin, r)
	}
	if err != nil {
		return err
	}
	if now := time.Now(); r.countsAt(now) {
		r.requests.Add(1)
		r.total.add(now.Sub(begin))
	}
	return nil
}

func readWhole(body io.Reader, s scenario, begin time.Time, r *result) error {
	text, err := io.ReadAll(body)
	if err != nil {
		return err
	}
	r.first.add(time.Since(begin))
	if !s.face.isWhole(text) {
		return fmt.Errorf("a broken answer: %.200s", text)
	}
	return nil
}

func readStream(body io.Reader, s scenario, begin time.Time, r *result) error {
	var reader interface {
		Next() (eventstream.Batch, error)
	} = eventstream.NewSSEReader(body, eventstream.Limits{})
	if s.face.lines {
		reader = eventstream.NewLineReader(body, eventstream.Limits{})
	}
	tokens, done, begun := 0, false, false
	for {
		batch, err := reader.Next()
		now := time.Now()
		counts := r.countsAt(now)
		for _, event := range batch.Events {
			if event.Data == nil {
				continue
			}
			if counts {
				r.events.Add(1)
				if !begun {
					r.first.add(now.Sub(begin))
				}
			}
			begun = true
			done = done || bytes.Contains(event.Data, []byte(s.face.last))
			if at := bytes.Index(event.Data, []byte(marker)); at > 19 {
				made, parseErr := strconv.ParseInt(string(event.Data[at-19:at]), 10, 64)
				if parseErr == nil {
					tokens++
					if counts {
						r.event.add(now.Sub(time.Unix(0, made)))
					}
				}
			}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
	}
	if !done || tokens != s.tokens {
		return fmt.Errorf("a stream of %d tokens, done %t; want %d and its end", tokens, done, s.tokens)
	}
	return nil
}
