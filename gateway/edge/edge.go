package edge

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"runtime/debug"
	"strconv"
	"sync/atomic"
	"time"
	"unicode/utf8"

	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/http1"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/rpc"
	"go.opentelemetry.io/otel/trace"
	"google.golang.org/grpc/codes"
)

// Edge serves HTTP. It is safe for concurrent use.
type Edge struct {
	config    Config
	deps      Deps
	router    *router
	guard     *guard
	metrics   *edgeMetrics
	unmatched *routeMetrics
	tracer    trace.Tracer
	decoders  decoders
	now       func() time.Time

	base     context.Context
	end      context.CancelCauseFunc
	inFlight atomic.Int64
	draining atomic.Bool
	drain    chan struct{} // closed when draining begins
	idle     chan struct{}
}

// New makes an edge.
func New(config Config, deps Deps) (*Edge, error) {
	if err := config.Validate(); err != nil {
		return nil, err
	}
	if deps.Auth == nil {
		return nil, errors.New("edge: Deps.Auth is required")
	}
	if deps.Logger == nil {
		deps.Logger = slog.New(slog.DiscardHandler)
	}
	e := &Edge{config: config, deps: deps, guard: newGuard(config, deps.Auth.Open()), now: deps.Clock, drain: make(chan struct{}), idle: make(chan struct{}, 1)}
	if e.now == nil {
		e.now = time.Now
	}
	e.base, e.end = context.WithCancelCause(context.Background())
	var err error
	if e.router, err = newRouter(deps.Faces); err != nil {
		return nil, fmt.Errorf("edge: %w", err)
	}
	own := e.healthFace(e.router.face("/", nil))
	for _, r := range own.Routes {
		if err := e.router.add(own, r); err != nil {
			return nil, fmt.Errorf("edge: %w", err)
		}
	}
	if e.metrics, err = newMetrics(deps.Metrics); err != nil {
		return nil, fmt.Errorf("edge: %w", err)
	}
	e.router.each(func(r *route) { r.metrics = e.metrics.route(r.face.Name, methodName(r.Method), r.Pattern) })
	e.unmatched = e.metrics.route("none", "any", "unmatched")
	if deps.Tracer != nil {
		e.tracer = deps.Tracer.Tracer("github.com/gptmesh/gptmesh/gateway/edge")
	}
	return e, nil
}

// A body is read before its request is looked at, where it is not longer than
// bodyAhead and comes within bodyWait.
const (
	bodyAhead = 1 << 20
	bodyWait  = time.Second
)

// Server is an HTTP server of the edge with its bounds set. Whoever calls it
// listens, and shuts it down after Drain.
func (e *Edge) Server() *http1.Server {
	standard := &http.Server{
		Handler:           e,
		ReadHeaderTimeout: e.config.HeaderTimeout,
		IdleTimeout:       e.config.IdleTimeout,
		MaxHeaderBytes:    e.config.MaxHeaderBytes,
		ErrorLog:          slog.NewLogLogger(e.deps.Logger.Handler(), slog.LevelDebug),
		Protocols:         new(http.Protocols),
	}
	standard.BaseContext = func(net.Listener) context.Context { return e.base }
	standard.ConnContext = withConn
	standard.Protocols.SetHTTP1(true)
	standard.Protocols.SetHTTP2(true)
	standard.Protocols.SetUnencryptedHTTP2(true)
	return http1.New(http1.Config{
		Handler:     e,
		Standard:    standard,
		Base:        e.base,
		HeadLimit:   e.config.MaxHeaderBytes,
		HeadTimeout: e.config.HeaderTimeout,
		BodyWait:    min(e.config.BodyTimeout, bodyWait),
		IdleTimeout: e.config.IdleTimeout,
		BodyLimit:   min(e.config.BodyLimit, bodyAhead),
		MaxConns:    e.maxConnections(files()),
		Logger:      e.deps.Logger,
	})
}

// ownFiles is how many files a process needs for itself: its stores and journals,
// connections of rooms, listeners.
const ownFiles = 128

// maxConnections is the most connections of clients in a process that may open so
// many files. 0 means no bound, of either.
func (e *Edge) maxConnections(files int) int {
	switch {
	case e.config.MaxConnections > 0:
		return e.config.MaxConnections
	case files == 0:
		return 0
	}
	return max((files-ownFiles)/2, 16)
}

// Drain stops admission: readiness is false from now on and new requests are
// SHUTTING_DOWN. It returns when the requests under way have ended, or with an
// error when ctx is done before.
func (e *Edge) Drain(ctx context.Context) error {
	e.stopAdmitting()
	for e.inFlight.Load() > 0 {
		select {
		case <-e.idle:
		case <-ctx.Done():
			return fmt.Errorf("edge: %d requests still run: %w", e.inFlight.Load(), ctx.Err())
		}
	}
	return nil
}

// Close ends the requests that still run on a Server of the edge: each is told
// SHUTTING_DOWN in its face's way, where it is not told better by the rooms.
func (e *Edge) Close() error {
	e.stopAdmitting()
	e.end(shuttingDown())
	return nil
}

func (e *Edge) stopAdmitting() {
	if e.draining.CompareAndSwap(false, true) {
		close(e.drain)
	}
}

func shuttingDown() *fault.Fault {
	return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_SHUTTING_DOWN,
		"this server is shutting down; try again", "room", "gateway").WithRetryAfter(time.Second)
}

// ServeHTTP answers one request.
func (e *Edge) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if e.deps.GRPC != nil && isGRPC(r) {
		e.deps.GRPC.ServeHTTP(w, r)
		return
	}
	x := new(Exchange)
	x.edge, x.w, x.r, x.ctx, x.conn, x.start = e, w, r, r.Context(), connOf(w), e.now()
	running := e.inFlight.Add(1)
	e.metrics.inFlight.Inc()
	defer e.finish(x)
	if !e.begin(x, running) {
		return
	}
	if x.timeout > 0 {
		var cancel context.CancelFunc
		x.ctx, cancel = context.WithTimeout(x.ctx, x.timeout)
		defer cancel()
	}
	x.ctx = callctx.With(x.ctx, x.call)
	if e.tracer != nil || first(r.Header, "Traceparent") != "" {
		defer e.trace(x)()
	}
	x.route.Handle(x)
}

// begin finds the request's face, and says whether it goes there; else it is answered.
func (e *Edge) begin(x *Exchange, running int64) bool {
	r := x.r
	id := first(r.Header, "X-Request-Id")
	if !rpc.ValidRequestID(id) {
		id = ids.New("rid")
	}
	x.call.RequestID, x.id[0] = id, id
	h := x.Header()
	h["X-Request-Id"] = x.id[:]
	h["X-Content-Type-Options"] = noSniff

	path, pathKey := takeKey(r.URL.Path)
	x.path = path
	found, param := e.router.find(path)
	x.param = param
	if x.route = found.find(r.Method, r.Header); x.route != nil {
		x.face = x.route.face
	} else {
		x.face = e.router.face(path, r.Header)
	}
	if name := x.face.RequestIDHeader; name != "" {
		h[name] = x.id[:]
	}
	if err := e.admit(x, found, pathKey, running); err != nil {
		x.Fail(err)
		return false
	}
	return x.status == 0 // else a preflight
}

// admit says whether the request goes to its face. It answers preflights
// itself.
func (e *Edge) admit(x *Exchange, found methods, pathKey string, running int64) error {
	r, h := x.r, x.Header()
	origin := first(r.Header, "Origin")
	originAllowed := origin != "" && e.guard.originAllowed(origin, r.Host)
	if r.Method == http.MethodOptions && origin != "" && first(r.Header, "Access-Control-Request-Method") != "" {
		if err := e.guard.check(r, "", false); err != nil {
			return err
		}
		if originAllowed {
			h["Access-Control-Allow-Origin"] = []string{origin}
		}
		x.status = preflight(x.w, r, originAllowed)
		return nil
	}
	if originAllowed {
		allowOrigin(h, origin)
	}
	if err := e.guard.check(r, origin, originAllowed); err != nil {
		return err
	}
	if found == nil {
		return x.face.missing(r.Method, x.path)
	}
	if !utf8.ValidString(x.param) { // no message can carry it
		return fault.InvalidField("path", "must be UTF-8")
	}
	if x.route == nil {
		h["Allow"] = []string{found.allow()}
		if r.Method == http.MethodOptions {
			x.WriteHeader(http.StatusNoContent)
			return nil
		}
		if webSocket(r.Header) {
			return noWebSocket(h, x.path)
		}
		return WithStatus(http.StatusMethodNotAllowed, fault.New(codes.Unimplemented, meshv1.ErrorReason_ERROR_REASON_UNSUPPORTED,
			quotePath(x.path)+" takes no "+quotePath(r.Method)+"; it takes "+found.allow()))
	}
	if !x.route.Public {
		if e.draining.Load() {
			h["Connection"] = closeValue
			return shuttingDown()
		}
		if most := e.config.MaxInFlight; most > 0 && running > int64(most) {
			return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_OVERLOADED,
				"too many requests are under way; try again", "room", "gateway").WithRetryAfter(time.Second)
		}
		var err error
		if x.call.Principal, err = authenticate(e.deps.Auth, pathKey, r.Header); err != nil {
			return err
		}
		if err := e.limit(x); err != nil {
			return err
		}
	}
	var err error
	x.timeout, err = clientTimeout(r.Header, e.config.MaxTimeout)
	return err
}

// limit counts the call.
func (e *Edge) limit(x *Exchange) error {
	if e.deps.Limiter == nil {
		return nil
	}
	class := x.route.Class
	if x.route.ClassOf != nil {
		class = x.route.ClassOf(x.r.Method, x.path)
	}
	state, err := e.deps.Limiter.Allow(x.call.Principal.ID, class)
	if state.Limit > 0 {
		h := x.Header()
		h["X-Ratelimit-Limit"] = []string{strconv.Itoa(state.Limit)}
		h["X-Ratelimit-Remaining"] = []string{strconv.Itoa(state.Remaining)}
		h["X-Ratelimit-Reset"] = []string{strconv.Itoa(retrySeconds(state.Reset))}
	}
	return err
}

// finish ends a request: what a panic left, the counts, the log.
func (e *Edge) finish(x *Exchange) {
	abort := false
	if p := recover(); p != nil {
		abort = p == http.ErrAbortHandler || x.status != 0
		if p != http.ErrAbortHandler {
			e.deps.Logger.LogAttrs(x.ctx, slog.LevelError, "panic",
				slog.String("request_id", x.call.RequestID), slog.String("route", x.routeName()),
				slog.Any("panic", p), slog.String("stack", string(debug.Stack())))
			x.Fail(fault.Internal(fmt.Errorf("panic: %v", p)))
		}
	}
	status := x.status
	if status == 0 {
		status = http.StatusOK
		if x.ClientGone() || x.failure != nil {
			status = statusClientGone
		}
	}
	duration := e.now().Sub(x.start)
	m := e.unmatched
	if x.route != nil {
		m = x.route.metrics
	}
	m.code(status).Inc()
	m.times().duration.Observe(duration.Seconds())
	if !x.firstByte.IsZero() {
		m.times().firstByte.Observe(x.firstByte.Sub(x.start).Seconds())
	}
	e.metrics.sent.Add(float64(x.bytes))
	if x.streaming {
		e.metrics.streams.Dec()
	}
	x.logLine(status, duration)
	e.metrics.inFlight.Dec()
	if e.inFlight.Add(-1) == 0 && e.draining.Load() {
		select {
		case e.idle <- struct{}{}:
		default:
		}
	}
	if abort {
		// The client must not take what it got for a whole answer.
		panic(http.ErrAbortHandler)
	}
}
