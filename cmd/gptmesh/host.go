package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"buf.build/go/protovalidate"
	"github.com/gptmesh/gptmesh/gateway/edge"
	"github.com/gptmesh/gptmesh/gen/caller"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	"github.com/gptmesh/gptmesh/pkg/auth"
	"github.com/gptmesh/gptmesh/pkg/datadir"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/journal"
	"github.com/gptmesh/gptmesh/pkg/lifecycle"
	"github.com/gptmesh/gptmesh/pkg/ratelimit"
	"github.com/gptmesh/gptmesh/pkg/rpc"
	"github.com/gptmesh/gptmesh/pkg/telemetry"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
)

// allRooms are the rooms that a process can run, in the order of their wiring.
// The gateway is one of them where it comes to serving.
var allRooms = []string{"session", "gpt", "classifier", "response", "request", "gateway"}

// host is one process: the rooms it runs and what they share.
type host struct {
	settings *settings
	rooms    []string
	instance string

	log           *telemetry.Log
	logger        *slog.Logger
	registry      *prometheus.Registry
	tracing       *telemetry.Tracing
	authenticator *auth.Authenticator
	limiter       *ratelimit.Limiter
	policies      *rpc.Policies
	validator     protovalidate.Validator

	group  lifecycle.Group
	server *grpc.Server
	local  *caller.Chain
	rest   grpc.ClientConnInterface
	conns  map[string]*grpc.ClientConn
	events *eventHub
	lock   *datadir.Lock
	// journal stands before the embedded stores; nil without any.
	journal *journal.Journal
	stores  map[string]openedStore // by room, and those of events
}

// newHost makes what the rooms share. Rooms are added by wire.
func newHost(ctx context.Context, s *settings, rooms []string) (*host, error) {
	if err := s.validate(); err != nil {
		return nil, err
	}
	h := &host{settings: s, rooms: rooms, instance: ids.New("ins"), registry: prometheus.NewRegistry(), conns: map[string]*grpc.ClientConn{}}
	h.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	h.events = newEventHub(h)
	if err := h.share(ctx); err != nil {
		return nil, errors.Join(err, h.group.Abandon())
	}
	return h, nil
}

// share makes what newHost promises. After an error the group has what is to be closed.
func (h *host) share(ctx context.Context) error {
	s := h.settings
	var err error
	if h.log, err = telemetry.OpenLog(s.Log, os.Stderr); err != nil {
		return err
	}
	h.logger = h.log.Logger
	h.group.Add(lifecycle.Component{Name: "log", Close: h.log.Close})
	if h.authenticator, err = auth.New(s.Auth); err != nil {
		return err
	}
	if h.policies, err = rpc.LoadPolicies(); err != nil {
		return err
	}
	if h.validator, err = protovalidate.New(); err != nil {
		return err
	}
	if h.tracing, err = telemetry.NewTracing(ctx, s.Traces, "gptmesh-"+strings.Join(h.rooms, "-"), version); err != nil {
		return err
	}
	h.group.Add(lifecycle.Component{Name: "traces", Close: func() error {
		ctx, cancel := context.WithTimeout(context.Background(), closeTimeout)
		defer cancel()
		return h.tracing.Close(ctx)
	}})
	h.limiter = ratelimit.New(s.RateLimits, nil)
	if s.Database.URL == "" && h.keeps() {
		if h.lock, err = datadir.Acquire(s.Data); err != nil {
			return err
		}
		h.group.Add(lifecycle.Component{Name: "data directory", Close: h.lock.Release, Ready: func(context.Context) error { return roomIn(s.Data) }})
		if h.journal, err = s.openJournal(); err != nil {
			return err
		}
		h.group.Add(lifecycle.Component{Name: "journal", Close: h.journal.Close})
		tellDamage(h.logger, h.journal)
		if err := h.countRecords(); err != nil {
			return err
		}
	}
	return h.chains()
}

// leastRoomOnDisk is what a data folder must have left for a process to be ready:
// a segment of the journal, and the pages that its rows need.
const leastRoomOnDisk = 8 << 20

// roomIn says that a folder's disk is full or takes no writes, or nil. It asks each time, so that a
// process is ready again once there is room.
func roomIn(folder string) error {
	if left, known := datadir.Room(folder); known && left < leastRoomOnDisk {
		return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE, "the disk of the data folder is full")
	}
	if err := datadir.CheckWrites(folder); err != nil {
		return fault.New(codes.Unavailable, meshv1.ErrorReason_ERROR_REASON_STORE_UNAVAILABLE, "the disk of the data folder takes no writes").WithCause(err)
	}
	return nil
}

// chains makes what calls pass through on a wire, and in this process.
func (h *host) chains() error {
	metrics, err := rpc.NewCallMetrics(h.registry)
	if err != nil {
		return err
	}
	wire, err := rpc.NewChain(h.policies, rpc.Wire{
		Logger: h.logger, Metrics: metrics, Tracer: h.tracing.Tracer, Authenticator: h.authenticator, Limiter: h.limiter, Validator: h.validator,
	}.Interceptor())
	if err != nil {
		return err
	}
	local := []rpc.Interceptor{metrics.Local(h.logger)}
	if h.tracing.Tracer != nil {
		local = append([]rpc.Interceptor{rpc.Trace(h.tracing.Tracer, "local")}, local...)
	}
	if h.local, err = rpc.NewChain(h.policies, local...); err != nil {
		return err
	}
	if h.server, err = rpc.NewServer(rpc.ServerConfig{TLS: h.settings.TLS, DemandCertificate: h.authenticator.Open(), Chain: wire}); err != nil {
		return err
	}
	// Who serves it stops it before; where nobody does it has workers all the same.
	h.group.Add(lifecycle.Component{Name: "calls", Close: func() error {
		h.server.Stop()
		return nil
	}})
	return nil
}

func (h *host) runs(room string) bool { return slices.Contains(h.rooms, room) }

// keeps says whether any room of this process keeps something.
func (h *host) keeps() bool {
	return slices.ContainsFunc(h.rooms, func(r string) bool { return r != "gateway" })
}

// roomService is what every room is.
type roomService interface {
	Register(grpc.ServiceRegistrar)
	Start(context.Context) error
	Ready(context.Context) error
	Drain(context.Context) error
	Close() error
}

// room makes a room in this process, or a caller of it elsewhere. A room that
// no room of this process calls has no caller.
func room[C any](h *host, name string, remote func(grpc.ClientConnInterface) C, here func() (roomService, C, error)) (C, error) {
	var none C
	if h.runs(name) {
		service, c, err := here()
		if err != nil {
			return none, fmt.Errorf("%s: %w", name, err)
		}
		service.Register(h.server)
		h.group.Add(lifecycle.Component{Name: name, Start: service.Start, Ready: service.Ready, Drain: service.Drain, Close: service.Close})
		return c, nil
	}
	conn, err := h.dial(name)
	if err != nil || conn == nil {
		return none, err
	}
	return remote(conn), nil
}

// callees are the rooms that each room calls.
var callees = map[string][]string{
	"response": {"session", "gpt"},
	"request":  {"session", "classifier", "response", "gpt"},
	"gateway":  {"session", "classifier", "response", "request", "gpt"},
}

// calls says whether a room calls another only because of its configuration.
func (h *host) calls(room, other string) bool {
	switch room + " " + other {
	case "classifier gpt":
		return h.settings.Classifier.LLM.Model != ""
	case "response classifier":
		// Flagging is no reason not to start.
		return h.settings.Response.Guard.Mode != "off" && h.address("classifier") != ""
	}
	return false
}

// needs says whether some room of this process calls one of another.
func (h *host) needs(name string) bool {
	return !h.runs(name) && slices.ContainsFunc(h.rooms, func(r string) bool { return slices.Contains(callees[r], name) || h.calls(r, name) })
}

// findOthers says which room has no address, of those that are needed from other
// processes: before anything is made.
func (h *host) findOthers() error {
	for _, name := range allRooms {
		if h.needs(name) && h.address(name) == "" {
			return fmt.Errorf("the %s room is neither run here nor has an address: set GPTMESH_%s_ADDR", name, strings.ToUpper(name))
		}
	}
	return nil
}

// dial connects to a room of another process, where a room of this one calls it.
func (h *host) dial(name string) (*grpc.ClientConn, error) {
	if !h.needs(name) {
		return nil, nil
	}
	address := h.address(name)
	conn, err := rpc.Dial(rpc.ClientConfig{
		Room: name, Address: address, TLS: h.settings.TLS, Secret: h.authenticator.MeshSecret(), Policies: h.policies,
	})
	if err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	h.conns[name] = conn
	h.group.Add(lifecycle.Component{Name: name + " connection", Ready: reachable(conn, name), Close: conn.Close})
	return conn, nil
}

func (h *host) address(room string) string { return h.settings.Addresses.byRoom()[room] }

// openJournal opens the journal of the data folder.
func (s *settings) openJournal() (*journal.Journal, error) {
	return journal.Open(journal.Config{Dir: filepath.Join(s.Data, "journal"), Behind: s.Store.Flush == flushBehind})
}

// tellDamage says what of the journal cannot be read.
func tellDamage(logger *slog.Logger, j *journal.Journal) {
	for _, d := range j.Damaged() {
		logger.Error("a record of the journal cannot be read, and those behind it were left out: after a loss of power nobody was told of them, else rows are lost",
			"path", d.Path, "at", d.At, "after_record", d.After, "left_out_from", d.Left, "copy", d.Copy, "copy_error", d.Err)
	}
}

// countRecords shows how many records of the journal share a flush.
func (h *host) countRecords() error {
	counter := func(name, help string, of func(journal.Stats) uint64) error {
		return h.registry.Register(prometheus.NewCounterFunc(prometheus.CounterOpts{Name: name, Help: help},
			func() float64 { return float64(of(h.journal.Stats())) }))
	}
	return errors.Join(
		counter("gptmesh_journal_flushes_total", "Flushes of the journal before the embedded stores.", func(s journal.Stats) uint64 { return s.Flushes }),
		counter("gptmesh_journal_records_total", "Records in those flushes.", func(s journal.Stats) uint64 { return s.Records }),
		counter("gptmesh_journal_bytes_total", "Bytes in those records.", func(s journal.Stats) uint64 { return s.Bytes }))
}

// listen opens the gRPC listener and, where this process runs the gateway, the
// HTTP one. Those come last, so that they stop first.
func (h *host) listen(makeEdge func() (*edge.Edge, error)) error {
	if err := h.serveGRPC(h.settings.GRPC); err != nil {
		return err
	}
	if h.events.service != nil { // its streams have no end, and would hold up the server's
		h.group.Add(lifecycle.Component{Name: "event streams", Drain: h.events.service.Drain})
	}
	if !h.runs("gateway") {
		return nil
	}
	var err error
	if h.rest, err = newRoutes(h); err != nil {
		return err
	}
	e, err := makeEdge()
	if err != nil {
		return fmt.Errorf("gateway: %w", err)
	}
	return h.serveHTTP(h.settings.HTTP, e)
}
