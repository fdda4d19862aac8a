package edge

import (
	"net"
	"net/http"
	"sync"
	"time"
)

// StreamOptions say how an answer is streamed.
type StreamOptions struct {
	// ContentType is the answer's type.
	ContentType string
	// Pause is how long the client waits for the first bytes before it is told
	// that the answer is under way, and again after each further pause. 0 means
	// that it is not told.
	Pause time.Duration
	// Ping is what it is told. Empty sends the headers, once.
	Ping []byte
	// Throughout goes on with it after the first bytes: a silence of one to two
	// pauses is broken, until Close.
	Throughout bool
}

// Stream is an answer that goes out piece by piece. Headers leave together with
// the first piece. Its methods are for one goroutine at a time; heartbeats go
// out beside them, never within a piece, and after the first one only with
// StreamOptions.Throughout.
type Stream struct {
	x       *Exchange
	options StreamOptions

	mu     sync.Mutex
	timer  *time.Timer
	opened bool     // headers are out
	quiet  bool     // no more heartbeats
	sent   bool     // a piece went out since the last heartbeat was due
	queued bool     // a piece waits for the next one
	err    error    // of a heartbeat
	direct net.Conn // where pieces go past the server's buffers; nil where they may not
}

// Stream makes the answer a stream. Nothing is sent before the first Send, Open
// or heartbeat. Close must be called.
func (x *Exchange) Stream(options StreamOptions) *Stream {
	s := &Stream{x: x, options: options}
	if options.Pause > 0 {
		s.mu.Lock()
		s.timer = time.AfterFunc(options.Pause, s.beat)
		s.mu.Unlock()
	}
	return s
}

// Header calls set with the answer's header, unless it has been sent.
func (s *Stream) Header(set func(http.Header)) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.opened {
		set(s.x.Header())
	}
}

// Opened says that the headers are out: an error has to be told within the
// stream.
func (s *Stream) Opened() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.opened
}

// Send writes one piece and flushes it. Without StreamOptions.Throughout it ends
// the heartbeats.
func (s *Stream) Send(p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note()
	if s.err != nil {
		return s.err
	}
	return s.write(p)
}

// note notes that a piece goes out.
func (s *Stream) note() {
	s.sent = true
	if !s.options.Throughout {
		s.hush()
	}
}

// Queue is Send, but that the piece leaves with the next one, which may be empty, or with
// the end of the answer. Who calls it has the next one at hand.
func (s *Stream) Queue(p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.note()
	if s.err != nil || len(p) == 0 {
		return s.err
	}
	s.open()
	s.direct, s.queued = nil, true // nothing may pass it
	_, err := s.x.Write(p)
	return err
}

// Last writes the last piece, which leaves together with what ends the answer
// when the handler returns, unless it is the first one too: such an answer is
// chunked like others. No heartbeat goes out any more.
func (s *Stream) Last(p []byte) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hush()
	if s.err != nil || len(p) == 0 && !s.queued {
		return s.err
	}
	if !s.opened || s.queued {
		return s.write(p)
	}
	_, err := s.x.Write(p)
	return err
}

// write sends one piece; the first one goes out behind the answer's head.
func (s *Stream) write(p []byte) error {
	if s.direct != nil && len(p) > 0 && len(p) <= maxPiece {
		return s.x.writeChunk(s.direct, p)
	}
	first := !s.opened || s.queued
	s.open()
	if err := s.x.Send(p); err != nil {
		return err
	}
	if first {
		s.direct, s.queued = s.x.chunkedConn(), false
	}
	return nil
}

// Close ends the heartbeats; none goes out after it. It does not end the
// answer: returning from the handler does.
func (s *Stream) Close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.hush()
}

func (s *Stream) hush() {
	if !s.quiet {
		s.quiet = true
		if s.timer != nil {
			s.timer.Stop()
		}
	}
}

func (s *Stream) open() {
	if s.opened {
		return
	}
	s.opened = true
	s.x.streaming = true
	s.x.edge.metrics.streams.Inc()
	h := s.x.Header()
	h["Content-Type"] = []string{s.options.ContentType}
	h["Cache-Control"] = noCache
	h["X-Accel-Buffering"] = noValue
	s.x.WriteHeader(http.StatusOK)
}

// beat is one heartbeat.
func (s *Stream) beat() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.quiet {
		return
	}
	if s.sent {
		s.sent = false
		s.timer.Reset(s.options.Pause)
		return
	}
	if s.err = s.write(s.options.Ping); s.err != nil || len(s.options.Ping) == 0 {
		return
	}
	s.timer.Reset(s.options.Pause)
}
