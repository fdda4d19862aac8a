package postgres

import (
	"errors"
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgxpool"
)

// Defaults of [Config].
const (
	DefaultApplicationName = "gptmesh"
	DefaultConnectTimeout  = 5 * time.Second
	DefaultMaxAttempts     = 5
)

// schemaName is what a schema may be called: a name that needs no quotes.
var schemaName = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)

// Config says how to open a database.
type Config struct {
	// URL is a postgres:// URL or a keyword string such as "host=db
	// dbname=mesh". What is left out comes from the PG… environment
	// variables. Settings of the pool (pool_max_conns …) and of pgx are
	// understood. Required.
	URL string
	// Schema holds the room's tables; Migrate creates it. Lower-case letters,
	// digits and underscores. Empty for the server's default.
	Schema string
	// MaxConns is the largest number of connections. Default: that of the
	// URL, else the greater of 4 and the number of CPUs.
	MaxConns int32
	// ApplicationName is how the server lists the connections. Default: that
	// of the URL, else DefaultApplicationName and the schema.
	ApplicationName string
	// ConnectTimeout bounds one attempt to connect. Default: that of the URL,
	// else DefaultConnectTimeout.
	ConnectTimeout time.Duration
	// Writer makes the commits of Commit, for several databases. Default: one of
	// the database's own.
	Writer *Writer
	// MaxAttempts is how often Write runs a transaction that the server
	// refuses for the sake of others. Default DefaultMaxAttempts.
	MaxAttempts int
}

// withoutURL is what a parser says, without the URL that it quotes: it masks the
// passwords that it finds, and does not find them all.
func withoutURL(text string) string {
	if at := strings.LastIndex(text, "`: "); at >= 0 {
		return text[at+len("`: "):]
	}
	return text
}

// Validate says what is wrong with the configuration, without looking for a server.
func (c Config) Validate() error {
	_, err := c.pool()
	return err
}

// pool returns the pool's configuration. Errors do not hold the password.
func (c Config) pool() (*pgxpool.Config, error) {
	if c.URL == "" {
		return nil, errors.New("postgres: URL is empty")
	}
	if c.Schema != "" && !schemaName.MatchString(c.Schema) {
		return nil, fmt.Errorf("postgres: schema %q: want lower-case letters, digits and underscores", c.Schema)
	}
	pool, err := pgxpool.ParseConfig(c.URL)
	if err != nil {
		return nil, fmt.Errorf("postgres: the URL cannot be read: %s", withoutURL(err.Error()))
	}
	conn := pool.ConnConfig
	if conn.RuntimeParams == nil {
		conn.RuntimeParams = map[string]string{}
	}
	if c.Schema != "" {
		conn.RuntimeParams["search_path"] = pgx.Identifier{c.Schema}.Sanitize()
	}
	if c.ApplicationName != "" {
		conn.RuntimeParams["application_name"] = c.ApplicationName
	} else if conn.RuntimeParams["application_name"] == "" {
		name := DefaultApplicationName
		if c.Schema != "" {
			name += " " + c.Schema
		}
		conn.RuntimeParams["application_name"] = name
	}
	if c.MaxConns > 0 {
		pool.MaxConns = c.MaxConns
		pool.MinConns = min(pool.MinConns, c.MaxConns)
		pool.MinIdleConns = min(pool.MinIdleConns, c.MaxConns)
	}
	if c.ConnectTimeout > 0 {
		conn.ConnectTimeout = c.ConnectTimeout
	} else if conn.ConnectTimeout <= 0 {
		conn.ConnectTimeout = DefaultConnectTimeout
	}
	return pool, nil
}
