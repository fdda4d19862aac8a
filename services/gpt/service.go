package gpt

import (
	"context"
	"errors"
	"io/fs"
	"sync"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/ids"
	"github.com/gptmesh/gptmesh/pkg/liveness"
	"github.com/gptmesh/gptmesh/pkg/stacks"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
	"github.com/gptmesh/gptmesh/services/gpt/internal/registry"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store/postgres"
	"github.com/gptmesh/gptmesh/services/gpt/internal/store/sqlite"
	"github.com/gptmesh/gptmesh/services/gpt/internal/tokens"
	"google.golang.org/grpc"
)

// Service is the room. Its methods are gptmesh.gpt.v1.GPTService
// and UsageService.
type Service struct {
	gptv1.UnimplementedGPTServiceServer
	gptv1.UnimplementedUsageServiceServer

	cfg      Config
	deps     Deps
	instance string // of this run, never used twice
	catalog  *catalog.Catalog
	registry *registry.Registry
	store    store.Store
	tokens   tokens.Counter
	metrics  *metrics
	doer     upstream.Doer
	ownDoer  bool
	stacks   stacks.Pool // for what a stream does beside waiting

	calls     calls
	progress  progress
	unsettled unsettled

	cancel context.CancelFunc // ends what Start began
	group  sync.WaitGroup
}

var (
	_ gptv1.GPTServiceServer   = (*Service)(nil)
	_ gptv1.UsageServiceServer = (*Service)(nil)
)

// Migrations are the migrations of the room's stores.
func Migrations() (sqliteFS, postgresFS fs.FS) { return sqlite.Migrations(), postgres.Migrations() }

// New makes the room. It makes no calls and starts nothing.
func New(cfg Config, deps Deps) (*Service, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	if (deps.SQLite == nil) == (deps.Postgres == nil) {
		return nil, errors.New("gpt: exactly one of Deps.SQLite and Deps.Postgres must be set")
	}
	deps.defaults()
	known, err := catalog.Load()
	if err != nil {
		return nil, err
	}
	s := &Service{cfg: cfg, deps: deps, catalog: known, instance: deps.Instance + "/" + ids.New("run"), doer: deps.Upstream}
	if deps.SQLite != nil {
		s.store = sqlite.New(deps.SQLite)
	} else {
		s.store = postgres.New(deps.Postgres)
	}
	if s.doer == nil {
		if s.doer, err = upstream.New(upstream.Config{
			DialTimeout: cfg.Timeouts.Connect, TLSTimeout: cfg.Timeouts.Connect, HTTP2: cfg.HTTP2, Stacks: &s.stacks, MaxIdlePerHost: idlePerHost,
		}); err != nil {
			return nil, err
		}
		s.ownDoer = true
	}
	entries, err := s.configured()
	if err != nil {
		s.closeDoer()
		return nil, err
	}
	routes, err := s.routes()
	if err != nil {
		s.closeDoer()
		return nil, err
	}
	s.registry = registry.New(registry.Config{
		Catalog: known, DefaultModel: cfg.DefaultModel, DefaultEmbeddingModel: cfg.DefaultEmbeddingModel, Aliases: cfg.Aliases, Routes: routes,
		Override: cfg.override, TTL: cfg.Listing.TTL, ErrorTTL: cfg.Listing.ErrorTTL, Timeout: cfg.Listing.Timeout, Now: deps.Clock,
	}, entries)
	if s.metrics, err = newMetrics(deps.Metrics, s.registry); err != nil {
		s.registry.Close()
		s.closeDoer()
		return nil, err
	}
	if !cfg.Discovery.Enabled {
		s.registry.Discovered()
	}
	s.calls.init()
	return s, nil
}

// idlePerHost is how many connections to a server are kept for a minute while nobody uses
// them: as many as there were calls at once, as a rule, since many that end together are
// followed by as many that would have to dial.
const idlePerHost = 1024

// Register adds the room to a server.
func (s *Service) Register(registrar grpc.ServiceRegistrar) {
	gptv1.RegisterGPTServiceServer(registrar, s)
	gptv1.RegisterUsageServiceServer(registrar, s)
}

// Start settles what processes that died have left, and begins to look for
// models and servers. It waits for the store alone, never for a provider.
func (s *Service) Start(ctx context.Context) error {
	if err := s.store.Beat(ctx, s.instance); err != nil {
		return err
	}
	if err := s.settleOrphans(ctx); err != nil {
		return err
	}
	var background context.Context
	background, s.cancel = context.WithCancel(context.Background())
	for _, entry := range s.registry.Entries() {
		s.deps.Logger.InfoContext(ctx, "provider", "room", "gpt", "name", entry.Info.Name, "kind", entry.Info.Kind,
			"address", entry.Info.BaseURL, "missing", entry.Missing)
	}
	s.registry.Warm()
	s.group.Go(func() { s.discover(background) })
	s.group.Go(func() { s.writeCheckpoints(background) })
	s.group.Go(func() { s.settleLeft(background) })
	if s.cfg.Ledger.Retention > 0 {
		s.group.Go(func() { s.expireRows(background) })
	}
	if s.deps.Postgres != nil {
		pulse := liveness.New(s.cfg.Ledger.Heartbeat, s.cfg.Ledger.Grace, time.Now())
		s.group.Go(func() { s.beat(background, pulse) })
		s.group.Go(func() { s.settleOthers(background, pulse) })
	}
	return nil
}

// Ready says whether calls can be served: not while draining.
func (s *Service) Ready(context.Context) error { return s.calls.ready() }

// Drain takes no more calls and waits for those under way. When ctx ends before
// them, they are ended: with a failed event where the answer had begun.
func (s *Service) Drain(ctx context.Context) error {
	return s.calls.drain(ctx, s.cfg.Ledger.WriteTimeout)
}

// Close ends everything and waits for it. It may be called more than once.
func (s *Service) Close() error {
	ended, cancel := context.WithCancel(context.Background())
	cancel()
	err := s.calls.drain(ended, s.cfg.Ledger.WriteTimeout)
	if s.cancel != nil {
		s.cancel()
	}
	s.group.Wait()
	s.registry.Close()
	leave, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	s.settleOnceMore(leave)
	if err := s.store.Leave(leave, s.instance); err != nil {
		s.deps.Logger.Warn("the ledger cannot be told that this process leaves", "room", "gpt", "error", err)
	}
	s.metrics.close()
	s.closeDoer()
	return err
}

func (s *Service) closeDoer() {
	if s.ownDoer {
		s.doer.Close()
	}
	s.stacks.Close()
}
