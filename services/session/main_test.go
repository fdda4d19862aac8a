package session_test

import (
	"context"
	"os"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	conversationv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/conversation/v1"
	meshv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/mesh/v1"
	sessionv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/session/v1"
	"github.com/gptmesh/gptmesh/pkg/callctx"
	"github.com/gptmesh/gptmesh/pkg/fault"
	"github.com/gptmesh/gptmesh/pkg/journal"
	"github.com/gptmesh/gptmesh/pkg/pgtest"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/sqlite"
	"github.com/gptmesh/gptmesh/services/session"
	"github.com/gptmesh/gptmesh/services/session/sessiontest"
	"google.golang.org/protobuf/testing/protocmp"
)

func TestMain(m *testing.M) { os.Exit(pgtest.Main(m)) }

// clock is a time that tests move.
type clock struct {
	mu    sync.Mutex
	now   time.Time
	jump  time.Duration // of the next reading alone
	taken chan struct{} // closed by it; nil without
}

func newClock() *clock { return &clock{now: time.Date(2026, 11, 20, 12, 0, 0, 0, time.UTC)} }

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.taken == nil {
		return c.now
	}
	close(c.taken)
	c.taken = nil
	return c.now.Add(c.jump)
}

// Jump makes the next reading alone later; taken is closed by it.
func (c *clock) Jump(d time.Duration) (taken <-chan struct{}) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.jump, c.taken = d, make(chan struct{})
	return c.taken
}

func (c *clock) Add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(d)
}

// room is a session room under test.
type room struct {
	sessionv1.SessionServiceCaller
	clock  *clock
	config session.Config
	// reopen stops the room and starts another over the same data; nil for the
	// fake.
	reopen func()
	// replica starts a second room over the same data; nil where there is no other.
	replica func() sessionv1.SessionServiceCaller
}

func config() session.Config {
	cfg := session.DefaultConfig()
	cfg.PollInterval, cfg.SweepInterval = 5*time.Millisecond, 5*time.Millisecond
	return cfg
}

// backends are all that a test of the contract runs on.
var backends = map[string]func(testing.TB, session.Config) *room{
	"sqlite":   func(t testing.TB, cfg session.Config) *room { return onSQLite(t, cfg, false) },
	"journal":  func(t testing.TB, cfg session.Config) *room { return onSQLite(t, cfg, true) },
	"postgres": onPostgres,
	"fake": func(testing.TB, session.Config) *room {
		c := newClock()
		return &room{SessionServiceCaller: sessionv1.LocalSessionService(sessiontest.NewAt(c.Now), nil), clock: c}
	},
}

// each runs a test on every back end, without the fake if real is set.
func each(t *testing.T, real bool, test func(t *testing.T, r *room)) {
	for name, open := range backends {
		if real && name == "fake" {
			continue
		}
		t.Run(name, func(t *testing.T) { t.Parallel(); test(t, open(t, config())) })
	}
}

// onSQLite runs over tables alone, or as the program does over a journal and them.
func onSQLite(t testing.TB, cfg session.Config, journaled bool) *room {
	t.Helper()
	dir := t.TempDir()
	path := filepath.Join(dir, "session.db")
	migrations, _ := session.Migrations()
	var db *sqlite.DB
	r := &room{clock: newClock(), config: cfg}
	var services []*session.Service
	start := func() sessionv1.SessionServiceCaller {
		s := started(t, cfg, session.Deps{SQLite: db, Clock: r.clock.Now})
		services = append(services, s)
		return sessionv1.LocalSessionService(s, nil)
	}
	var records *journal.Journal
	open := func() {
		var err error
		if journaled {
			if records, err = journal.Open(journal.Config{Dir: filepath.Join(dir, "journal")}); err != nil {
				t.Fatal(err)
			}
		}
		if db, err = sqlite.Open(context.Background(), sqlite.Config{Path: path, Synchronous: sqlite.Off, Journal: records, Name: "session"}); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Migrate(context.Background(), migrations); err != nil {
			t.Fatal(err)
		}
		r.SessionServiceCaller = start()
	}
	stop := func() {
		closeAll(t, services)
		services = nil
		if err := db.Close(); err != nil {
			t.Error(err)
		}
		if records != nil {
			if err := records.Close(); err != nil {
				t.Error(err)
			}
		}
	}
	open()
	r.reopen = func() { stop(); open() }
	if !journaled { // else no other writes to the tables
		r.replica = start
	}
	t.Cleanup(stop)
	return r
}

func onPostgres(t testing.TB, cfg session.Config) *room {
	t.Helper()
	url := pgtest.DB(t)
	_, migrations := session.Migrations()
	var db *postgres.DB
	r := &room{clock: newClock(), config: cfg}
	var services []*session.Service
	start := func() sessionv1.SessionServiceCaller {
		s := started(t, cfg, session.Deps{Postgres: db, Clock: r.clock.Now})
		services = append(services, s)
		return sessionv1.LocalSessionService(s, nil)
	}
	open := func() {
		var err error
		if db, err = postgres.Open(context.Background(), postgres.Config{URL: url, Schema: "session"}); err != nil {
			t.Fatal(err)
		}
		if _, err := db.Migrate(context.Background(), migrations); err != nil {
			t.Fatal(err)
		}
		r.SessionServiceCaller = start()
	}
	stop := func() {
		closeAll(t, services)
		services = nil
		db.Close()
	}
	open()
	r.reopen, r.replica = func() { stop(); open() }, start
	t.Cleanup(stop)
	return r
}

func started(t testing.TB, cfg session.Config, deps session.Deps) *session.Service {
	t.Helper()
	s, err := session.New(cfg, deps)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(context.Background()); err != nil {
		t.Fatal(err)
	}
	if err := s.Ready(context.Background()); err != nil {
		t.Fatal(err)
	}
	return s
}

func closeAll(t testing.TB, services []*session.Service) {
	t.Helper()
	for _, s := range services {
		if err := s.Drain(context.Background()); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
}

// as returns a context of a principal.
func as(t testing.TB, owner string) context.Context {
	return callctx.With(t.Context(), callctx.Call{Principal: callctx.Principal{ID: owner, Kind: callctx.Key}})
}

func text(id string, role conversationv1.Role, words string) *conversationv1.Message {
	return &conversationv1.Message{Id: id, Role: role, Parts: []*conversationv1.ContentPart{
		{Kind: &conversationv1.ContentPart_Text{Text: words}},
	}}
}

func user(id, words string) *conversationv1.Message {
	return text(id, conversationv1.Role_ROLE_USER, words)
}

// create makes a session with an id.
func (r *room) create(t testing.TB, id string, messages ...*conversationv1.Message) *sessionv1.Session {
	t.Helper()
	resp, err := r.CreateSession(as(t, "me"), &sessionv1.CreateSessionRequest{SessionId: id, Messages: messages})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetSession()
}

func (r *room) append(t testing.TB, id string, messages ...*conversationv1.Message) *sessionv1.AppendMessagesResponse {
	t.Helper()
	resp, err := r.AppendMessages(as(t, "me"), &sessionv1.AppendMessagesRequest{SessionId: id, Messages: messages})
	if err != nil {
		t.Fatal(err)
	}
	return resp
}

func (r *room) get(t testing.TB, id string) *sessionv1.Session {
	t.Helper()
	resp, err := r.GetSession(as(t, "me"), &sessionv1.GetSessionRequest{SessionId: id})
	if err != nil {
		t.Fatal(err)
	}
	return resp.GetSession()
}

// history returns the ids of a session's messages in order.
func (r *room) history(t testing.TB, id string) (ids []string) {
	t.Helper()
	token := ""
	for {
		resp, err := r.ListMessages(as(t, "me"), &sessionv1.ListMessagesRequest{SessionId: id, PageToken: token, PageSize: 1000})
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range resp.GetMessages() {
			ids = append(ids, m.GetId())
		}
		if token = resp.GetNextPageToken(); token == "" {
			return ids
		}
	}
}

// refused checks an error's reason, and field if one is given.
func refused(t testing.TB, err error, reason meshv1.ErrorReason, field string) {
	t.Helper()
	f := fault.From(err)
	if f == nil || f.Reason != reason || field != "" && f.Field() != field {
		t.Helper()
		t.Fatalf("got %v, want %v of field %q", err, reason, field)
	}
}

func same(t testing.TB, got, want any) {
	t.Helper()
	if diff := cmp.Diff(want, got, protocmp.Transform(), cmpopts.EquateEmpty()); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
}
