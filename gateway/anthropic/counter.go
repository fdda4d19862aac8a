package anthropic

import (
	"context"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
)

const (
	// countTimeout bounds one count.
	countTimeout = 5 * time.Second
	// maxSpared is how many models are remembered to need no count.
	maxSpared = 1024
)

// counter counts the tokens of prompts beside their calls, for message_start. A
// count that could not come in time is not begun: where too many are under way,
// and for models whose last answer came in the client's own dialect, which has
// the provider's count. It is safe for concurrent use.
type counter struct {
	gpt   gptv1.GPTServiceCaller
	slots chan struct{}

	mu     sync.Mutex
	spared map[string]struct{} // models that need no count
}

func newCounter(gpt gptv1.GPTServiceCaller) *counter {
	return &counter{gpt: gpt, slots: make(chan struct{}, 2*runtime.GOMAXPROCS(0)), spared: map[string]struct{}{}}
}

// count is the count of one prompt. Its methods are for one goroutine.
type count struct {
	counter *counter
	turn    *conversationv1.Turn
	model   string
	noted   bool
	tokens  atomic.Int64
	done    chan struct{} // nil where none was begun
	cancel  context.CancelFunc
}

// begin begins to count a turn that is streamed; end must be called. The turn is
// read beside the caller until then.
func (c *counter) begin(ctx context.Context, turn *conversationv1.Turn) *count {
	out := &count{counter: c, turn: turn, model: turn.GetModel()}
	if !turn.GetStream() || c.isSpared(out.model) {
		return out
	}
	select {
	case c.slots <- struct{}{}:
	default:
		return out
	}
	ctx, out.cancel = context.WithTimeout(ctx, countTimeout)
	out.done = make(chan struct{})
	go func() {
		defer close(out.done)
		defer func() { <-c.slots }()
		// Without a count the answer is as good; the error is told by the call.
		if resp, err := c.gpt.CountTokens(ctx, &gptv1.CountTokensRequest{Turn: turn}); err == nil {
			out.tokens.Store(resp.GetInputTokens())
		}
	}()
	return out
}

// take is the count, or a guess where it is not there yet.
func (c *count) take() int64 {
	c.note(false)
	if tokens := c.tokens.Load(); tokens > 0 {
		return tokens
	}
	return guess(c.turn.GetRaw().GetBody())
}

const (
	bytesPerToken = 4
	// longRun is where a run of base64 cannot be prose any more.
	longRun = 1024
	// tokensPerFile is what a file within a body counts for.
	tokensPerFile = 1500
)

// guess is about how many tokens a body holds. It is quick, and never 0.
func guess(body []byte) int64 {
	text, files, run := len(body), 0, 0
	for i := 0; i <= len(body); i++ {
		if i < len(body) && inBase64(body[i]) {
			run++
			continue
		}
		if run >= longRun {
			text -= run
			files++
		}
		run = 0
	}
	return int64(text/bytesPerToken+files*tokensPerFile) + 1
}

func inBase64(c byte) bool {
	return 'a' <= c && c <= 'z' || 'A' <= c && c <= 'Z' || '0' <= c && c <= '9' || c == '+' || c == '/' || c == '='
}

// spare notes that the model's answers need no count.
func (c *count) spare() { c.note(true) }

func (c *count) note(spared bool) {
	if !c.noted {
		c.noted = true
		c.counter.note(c.model, spared)
	}
}

// running says that the count is under way.
func (c *count) running() bool {
	if c.done == nil {
		return false
	}
	select {
	case <-c.done:
		return false
	default:
		return true
	}
}

// end gives the count up and waits until it is.
func (c *count) end() {
	if c.done != nil {
		c.cancel()
		<-c.done
	}
}

func (c *counter) isSpared(model string) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	_, ok := c.spared[model]
	return ok
}

func (c *counter) note(model string, spared bool) {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case !spared:
		delete(c.spared, model)
	case len(c.spared) >= maxSpared:
		clear(c.spared)
		fallthrough
	default:
		c.spared[model] = struct{}{}
	}
}
