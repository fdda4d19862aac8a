package edge

import (
	"errors"
	"fmt"
	"time"
)

// Config bounds what clients may do.
type Config struct {
	// BodyLimit is the most bytes that a body may have, as sent and decoded.
	BodyLimit int64 `yaml:"body_limit"`
	// HeaderTimeout bounds the arrival of a request's headers.
	HeaderTimeout time.Duration `yaml:"header_timeout"`
	// BodyTimeout bounds the arrival of a request's body.
	BodyTimeout time.Duration `yaml:"body_timeout"`
	// WriteTimeout bounds each write to a client that does not read. Half of it
	// may pass on top.
	WriteTimeout time.Duration `yaml:"write_timeout"`
	// IdleTimeout closes a connection without requests.
	IdleTimeout time.Duration `yaml:"idle_timeout"`
	// MaxTimeout is the longest deadline that a client may ask for; longer ones
	// are shortened.
	MaxTimeout time.Duration `yaml:"max_timeout"`
	// MaxHeaderBytes bounds a request's headers.
	MaxHeaderBytes int `yaml:"max_header_bytes"`
	// MaxInFlight bounds the requests under way; further ones are OVERLOADED. 0
	// means no bound.
	MaxInFlight int `yaml:"max_in_flight"`
	// MaxConnections bounds the clients' connections. One more takes the place of the
	// one that has waited longest for another request, or waits for such a place
	// itself. 0 means half of the files that the
	// process may open, since most requests need a connection to a provider, too.
	MaxConnections int `yaml:"max_connections"`
	// AllowedHosts are further Host names, without port, under which a mesh
	// without keys may be addressed. "*" allows all.
	AllowedHosts []string `yaml:"allowed_hosts"`
	// AllowedOrigins are further origins of web pages that may call:
	// "https://chat.example.com". "*" allows all.
	AllowedOrigins []string `yaml:"allowed_origins"`
}

// DefaultConfig takes bodies of 32 MiB and 8192 requests at a time.
func DefaultConfig() Config {
	return Config{
		BodyLimit:      32 << 20,
		HeaderTimeout:  10 * time.Second,
		BodyTimeout:    time.Minute,
		WriteTimeout:   30 * time.Second,
		IdleTimeout:    2 * time.Minute,
		MaxTimeout:     time.Hour,
		MaxHeaderBytes: 64 << 10,
		MaxInFlight:    8192,
	}
}

// Validate says what is wrong with the configuration, or nil.
func (c Config) Validate() error {
	switch {
	case c.BodyLimit <= 0:
		return errors.New("body_limit: must be positive")
	case c.MaxHeaderBytes <= 0:
		return errors.New("max_header_bytes: must be positive")
	case c.MaxInFlight < 0:
		return errors.New("max_in_flight: must not be negative")
	}
	if c.MaxConnections < 0 {
		return errors.New("max_connections: must not be negative")
	}
	for _, d := range []struct {
		key   string
		value time.Duration
	}{
		{"header_timeout", c.HeaderTimeout}, {"body_timeout", c.BodyTimeout}, {"write_timeout", c.WriteTimeout},
		{"idle_timeout", c.IdleTimeout}, {"max_timeout", c.MaxTimeout},
	} {
		if d.value <= 0 {
			return fmt.Errorf("%s: must be positive", d.key)
		}
	}
	for i, host := range c.AllowedHosts {
		if host == "" {
			return fmt.Errorf("allowed_hosts[%d]: must not be empty", i)
		}
	}
	for i, origin := range c.AllowedOrigins {
		if origin == "" {
			return fmt.Errorf("allowed_origins[%d]: must not be empty", i)
		}
	}
	return nil
}
