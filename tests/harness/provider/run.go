package provider

import (
	"context"
	"net"
	"net/http"
	"time"
)

// dialect writes what a model says in the words of a wire. Streamed answers are
// written step by step, whole ones by end.
type dialect interface {
	// header is set before anything is sent.
	header(h http.Header)
	// begin, text, reasoning, tool and end are the pieces of a streamed answer.
	begin() string
	text(s string) string
	reasoning(s string) string
	tool(index int, t Tool) string
	end() string
	// failure tells of an error in a stream.
	failure(message string) string
	// whole is an answer that is not streamed.
	whole(text, reasoning string, tools []Tool) string
	// refusal is the body of an error status.
	refusal(status int, code string) string
}

// run does a script's steps for one call.
type run struct {
	call    *Call
	script  Script
	dialect dialect
	w       http.ResponseWriter
	ctx     context.Context

	opened  bool
	spoilt  bool // nobody can read it
	said    string
	thought string
	tools   []Tool
}

// serve answers a call.
func (p *Provider) serve(w http.ResponseWriter, r *http.Request, c *Call, make func(Script) dialect) {
	script := p.begin(c)
	answer := &run{call: c, script: script, dialect: make(script), w: w, ctx: r.Context()}
	defer close(c.ended)
	stop := context.AfterFunc(r.Context(), func() { close(c.gone) })
	defer func() {
		// The steps may see the end of the context before the function is run.
		if stop() && r.Context().Err() != nil {
			close(c.gone)
		}
	}()
	answer.steps()
}

func (a *run) steps() {
	for _, step := range a.script.Steps {
		if a.ctx.Err() != nil {
			return
		}
		switch step.kind {
		case waitFor:
			select {
			case <-step.wait:
			case <-a.ctx.Done():
			}
		case pauseFor:
			timer := time.NewTimer(step.pause)
			select {
			case <-timer.C:
			case <-a.ctx.Done():
			}
			timer.Stop()
		case stall:
			<-a.ctx.Done()
		case refuse:
			a.refuse(step)
			return
		case fail:
			a.fail(step.text)
			return
		case truncate:
			a.truncate()
			return
		case reset:
			a.reset()
			return
		case garbage:
			if a.call.Stream {
				a.open()
			}
			a.spoilt = true
			a.send(step.text)
		default:
			a.say(step)
		}
	}
	if a.ctx.Err() == nil {
		a.end()
		a.call.whole.Store(!a.spoilt)
	}
}

func (a *run) say(step Step) {
	var piece string
	switch step.kind {
	case sayText:
		a.said += step.text
		piece = a.dialect.text(step.text)
	case sayReasoning:
		a.thought += step.text
		piece = a.dialect.reasoning(step.text)
	case callTool:
		piece = a.dialect.tool(len(a.tools), step.tool)
		a.tools = append(a.tools, step.tool)
	}
	if a.call.Stream {
		a.open()
		a.send(piece)
	}
}

// open sends headers and what comes before the first piece.
func (a *run) open() {
	if a.opened {
		return
	}
	a.opened = true
	a.dialect.header(a.w.Header())
	a.w.WriteHeader(http.StatusOK)
	a.send(a.dialect.begin())
}

// send writes a piece, in as many writes as the script says.
func (a *run) send(piece string) {
	size := a.script.Split
	if size <= 0 {
		size = len(piece)
	}
	for len(piece) > 0 {
		n := min(size, len(piece))
		if _, err := a.w.Write([]byte(piece[:n])); err != nil {
			return
		}
		_ = http.NewResponseController(a.w).Flush()
		piece = piece[n:]
	}
}

func (a *run) end() {
	if a.call.Stream {
		a.open()
		a.send(a.dialect.end())
		return
	}
	a.w.Header().Set("Content-Type", "application/json")
	_, _ = a.w.Write([]byte(a.dialect.whole(a.said, a.thought, a.tools)))
}

func (a *run) refuse(step Step) {
	a.w.Header().Set("Content-Type", "application/json")
	if step.retryAfter != "" {
		a.w.Header().Set("Retry-After", step.retryAfter)
	}
	a.w.WriteHeader(step.status)
	_, _ = a.w.Write([]byte(a.dialect.refusal(step.status, step.code)))
}

func (a *run) fail(message string) {
	if !a.call.Stream {
		a.refuse(Step{status: http.StatusInternalServerError, code: "server_error"})
		return
	}
	a.open()
	a.send(a.dialect.failure(message))
}

// truncate closes the connection where it stands. A whole answer is broken off
// in its middle.
func (a *run) truncate() {
	if !a.call.Stream {
		body := a.dialect.whole(a.said, a.thought, a.tools)
		a.w.Header().Set("Content-Type", "application/json")
		_, _ = a.w.Write([]byte(body[:len(body)/2]))
		_ = http.NewResponseController(a.w).Flush()
	}
	if conn, _, err := http.NewResponseController(a.w).Hijack(); err == nil {
		_ = conn.Close()
	}
}

// reset closes the connection with a reset. What was written may be lost.
func (a *run) reset() {
	conn, _, err := http.NewResponseController(a.w).Hijack()
	if err != nil {
		return
	}
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0)
	}
	_ = conn.Close()
}
