package sqlite

import (
	"errors"
	"fmt"
	"log/slog"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/gptmesh/gptmesh/pkg/journal"
)

// Synchronous is how durable a commit is.
type Synchronous string

const (
	// Full flushes at each commit: an acknowledged write survives a loss of
	// power. The default.
	Full Synchronous = "FULL"
	// Normal flushes at checkpoints: the last commits may be lost with the
	// power, not with the process.
	Normal Synchronous = "NORMAL"
	// Off never flushes. For tests.
	Off Synchronous = "OFF"
)

// Defaults of [Config].
const (
	DefaultReadConns   = 4
	DefaultBusyTimeout = 5 * time.Second
)

// Config says how to open a database.
type Config struct {
	// Path is the database file; its directory must exist. Required.
	Path string
	// ReadConns is the largest number of concurrent readers.
	// Default DefaultReadConns.
	ReadConns int
	// BusyTimeout is how long a statement waits for a lock of another
	// process. Default DefaultBusyTimeout.
	BusyTimeout time.Duration
	// Synchronous is how durable a commit is. Default Full.
	Synchronous Synchronous
	// Journal, where set, takes what is written later; see DB.Later. It must be
	// closed after the DB.
	Journal *journal.Journal
	// Name is what the journal calls this database; at most 64 bytes. Required
	// with Journal, and never another one for the same file.
	Name string
	// Alone says that no other process has the file open, so that Migrate needs no
	// lock of its folder.
	Alone bool
	// Logger is told what nobody else can be. Nil discards.
	Logger *slog.Logger
	// MaxBatch and Queue bound the group commit; see groupcommit.Config.
	MaxBatch, Queue int

	vfs string // how SQLite reaches the file; empty is its own way
}

// withDefaults returns the configuration made whole, or why it is wrong.
func (c Config) withDefaults() (Config, error) {
	if c.Path == "" {
		return c, errors.New("sqlite: path is empty")
	}
	path, err := filepath.Abs(c.Path)
	if err != nil {
		return c, fmt.Errorf("sqlite: path: %w", err)
	}
	c.Path = path
	if c.ReadConns <= 0 {
		c.ReadConns = DefaultReadConns
	}
	if c.BusyTimeout <= 0 {
		c.BusyTimeout = DefaultBusyTimeout
	}
	if c.Journal != nil && (c.Name == "" || len(c.Name) > 64) {
		return c, errors.New("sqlite: a journal needs a name of 1 to 64 bytes")
	}
	if c.Logger == nil {
		c.Logger = slog.New(slog.DiscardHandler)
	}
	switch c.Synchronous {
	case "":
		c.Synchronous = Full
	case Full, Normal, Off:
	default:
		return c, fmt.Errorf("sqlite: synchronous %q: want FULL, NORMAL or OFF", c.Synchronous)
	}
	return c, nil
}

// maxLog is how many pages a log has when it is moved into the tables, 16 MB. A page
// that changes often, such as the end of a table that grows, is moved once each time.
const maxLog = 4000

// writerPragmas are set on the connection that writes.
func (c Config) writerPragmas() [][2]string {
	return [][2]string{
		{"journal_mode", "WAL"},
		{"synchronous", string(c.Synchronous)},
		{"foreign_keys", "1"},
		{"wal_autocheckpoint", strconv.Itoa(maxLog)},
		// Gives back the log's disk space after a burst; in bytes.
		{"journal_size_limit", "67108864"},
	}
}

// writerDSN opens a connection for database/sql that may write, as migrations do.
func (c Config) writerDSN() string {
	params := []string{"_txlock=immediate"}
	for _, p := range c.writerPragmas() {
		params = append(params, pragma(p[0], p[1]))
	}
	return c.dsn(params...)
}

func (c Config) readerDSN() string {
	return c.dsn("mode=ro", pragma("query_only", "1"))
}

func (c Config) dsn(params ...string) string {
	return c.uri(append(params, pragma("busy_timeout", fmt.Sprint(c.BusyTimeout.Milliseconds())))...)
}

// uri names the file for SQLite.
func (c Config) uri(params ...string) string {
	path := (&url.URL{Path: filepath.ToSlash(c.Path)}).EscapedPath()
	if c.vfs != "" {
		params = append(params, "vfs="+c.vfs)
	}
	return "file:" + path + "?" + strings.Join(params, "&")
}

func pragma(name, value string) string {
	return "_pragma=" + url.QueryEscape(name+"("+value+")")
}
