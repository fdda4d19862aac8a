package pgtest

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/gptmesh/gptmesh/pkg/datadir"
)

// stopTimeout bounds how long Stop waits before it kills.
const stopTimeout = 10 * time.Second

// settings make a cluster cheap: nothing of it needs to survive.
var settings = []string{
	"listen_addresses=",
	"max_connections=500",
	"shared_buffers=32MB",
	"fsync=off",
	"synchronous_commit=off",
	"full_page_writes=off",
	"wal_level=minimal",
	"max_wal_senders=0",
	"autovacuum=off",
	"log_checkpoints=off",
}

// Cluster is a running throw-away server, reachable through a Unix socket by
// this user alone.
type Cluster struct {
	dir    string
	bin    string
	user   *account
	extra  []string
	lock   *datadir.Lock // tells a later run that dir is in use
	cmd    *exec.Cmd
	exited chan struct{} // closed when the server is gone
}

// Start starts a cluster and returns when it takes connections. Stop must be
// called; on Linux the server also ends with this process. PostgreSQL refuses
// to run as root: as root it runs as postgres, or else as nobody. Settings are
// "name=value", over those that make a cluster cheap.
func Start(ctx context.Context, settings ...string) (*Cluster, error) {
	bin, err := binaries(installed)
	if err != nil {
		return nil, err
	}
	user, err := serverUser()
	if err != nil {
		return nil, err
	}
	sweep()
	dir, err := os.MkdirTemp(tempDir(), dirPrefix)
	if err != nil {
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	c := &Cluster{dir: dir, bin: bin, user: user, extra: settings, exited: make(chan struct{})}
	if err := c.start(ctx); err != nil {
		c.Stop()
		return nil, fmt.Errorf("pgtest: %w", err)
	}
	return c, nil
}

func (c *Cluster) start(ctx context.Context) error {
	bin, user := c.bin, c.user
	var err error
	if c.lock, err = datadir.Acquire(c.dir); err != nil {
		return err
	}
	if user != nil {
		if err := os.Chown(c.dir, user.uid, user.gid); err != nil {
			return err
		}
	}
	data := filepath.Join(c.dir, "data")
	initdb := exec.CommandContext(ctx, filepath.Join(bin, "initdb"), "-D", data, "-U", "postgres",
		"--auth=trust", "--encoding=UTF8", "--locale=C", "--wal-segsize=1", "--no-sync", "--no-instructions")
	c.prepare(initdb, user, false)
	if out, err := initdb.CombinedOutput(); err != nil {
		return fmt.Errorf("initdb: %w\n%s", err, out)
	}
	return c.serve(ctx)
}

// serve starts the server on its files and waits until it takes connections.
func (c *Cluster) serve(ctx context.Context) error {
	log, err := os.OpenFile(filepath.Join(c.dir, "log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	defer log.Close()
	args := []string{"-D", filepath.Join(c.dir, "data"), "-k", c.dir}
	for _, s := range append(slices.Clone(settings), c.extra...) {
		args = append(args, "-c", s)
	}
	server := exec.Command(filepath.Join(c.bin, "postgres"), args...)
	server.Stdout, server.Stderr = log, log
	c.prepare(server, c.user, true)
	if err := c.supervise(server); err != nil {
		return err
	}
	return c.ready(ctx)
}

// Restart ends the server as a crash of it would, and starts it again on its
// files. What was committed is there if the cluster was started with
// synchronous_commit=on.
func (c *Cluster) Restart(ctx context.Context) error {
	if err := c.cmd.Process.Signal(syscall.SIGQUIT); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	<-c.exited
	c.exited = make(chan struct{})
	if err := c.serve(ctx); err != nil {
		return fmt.Errorf("pgtest: %w", err)
	}
	return nil
}

// prepare sets what both programs need. mortal ties the process to this one.
func (c *Cluster) prepare(cmd *exec.Cmd, user *account, mortal bool) {
	cmd.Dir = c.dir
	cmd.Env = append(os.Environ(), "HOME="+c.dir, "LC_ALL=C")
	cmd.SysProcAttr = attributes(user, mortal)
}

// supervise starts the server and waits for its end in the background. The
// goroutine keeps its thread: Linux sends the parent-death signal when the
// thread that started the server ends, not the process.
func (c *Cluster) supervise(server *exec.Cmd) error {
	started, exited := make(chan error), c.exited
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := server.Start()
		if err == nil {
			c.cmd = server
		}
		started <- err
		if err == nil {
			_ = server.Wait() // how it ended is in its log
			close(exited)
		}
	}()
	return <-started
}

// ready waits until the server takes connections.
func (c *Cluster) ready(ctx context.Context) error {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for {
		conn, err := pgx.Connect(ctx, c.URL())
		if err == nil {
			return conn.Close(ctx)
		}
		select {
		case <-c.exited:
			return fmt.Errorf("the server ended at its start\n%s", c.log())
		case <-ctx.Done():
			return fmt.Errorf("the server did not start: %w\n%s", errors.Join(ctx.Err(), err), c.log())
		case <-tick.C:
		}
	}
}

func (c *Cluster) log() []byte {
	out, _ := os.ReadFile(filepath.Join(c.dir, "log"))
	return out
}

// URL is that of the superuser's database.
func (c *Cluster) URL() string {
	query := url.Values{"host": {c.dir}, "sslmode": {"disable"}}
	for _, s := range c.extra {
		if port, ok := strings.CutPrefix(s, "port="); ok {
			query.Set("port", port)
		}
	}
	return "postgres://postgres@/postgres?" + query.Encode()
}

// Stop ends the server at once and removes its files. It must not be called
// twice.
func (c *Cluster) Stop() {
	if c.cmd != nil {
		if c.cmd.Process.Signal(syscall.SIGQUIT) != nil {
			_ = c.cmd.Process.Kill()
		}
		select {
		case <-c.exited:
		case <-time.After(stopTimeout):
			_ = c.cmd.Process.Kill()
			<-c.exited
		}
	}
	_ = os.RemoveAll(c.dir)
	if c.lock != nil {
		_ = c.lock.Release()
	}
}
