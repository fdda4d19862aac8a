package main

import (
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/gptmesh/gptmesh/gateway"
	"github.com/gptmesh/gptmesh/pkg/auth"
	"github.com/gptmesh/gptmesh/pkg/config"
	"github.com/gptmesh/gptmesh/pkg/postgres"
	"github.com/gptmesh/gptmesh/pkg/ratelimit"
	"github.com/gptmesh/gptmesh/pkg/rpc"
	"github.com/gptmesh/gptmesh/pkg/telemetry"
	"github.com/gptmesh/gptmesh/services/classifier"
	"github.com/gptmesh/gptmesh/services/gpt"
	"github.com/gptmesh/gptmesh/services/request"
	"github.com/gptmesh/gptmesh/services/response"
	"github.com/gptmesh/gptmesh/services/session"
)

// prefix begins the name of every variable of the environment.
const prefix = "GPTMESH"

// settings are everything that can be configured, each room's under its name.
type settings struct {
	// HTTP is where the faces listen, GRPC the rooms, Admin metrics and
	// profiles. An empty Admin turns that listener off.
	HTTP  string `yaml:"http"`
	GRPC  string `yaml:"grpc"`
	Admin string `yaml:"admin"`
	// Data is the folder of the embedded stores.
	Data string `yaml:"data"`
	// Production turns test models off.
	Production bool `yaml:"production"`
	// AllowKeyless lets addresses beyond loopback be bound without API keys.
	AllowKeyless bool `yaml:"allow_keyless"`

	Auth       auth.Config           `yaml:",inline"`
	RateLimits ratelimit.Config      `yaml:"rate_limits"`
	Store      storeSettings         `yaml:"store"`
	Database   databaseSettings      `yaml:"database"`
	Addresses  addresses             `yaml:"addresses"`
	TLS        rpc.TLSConfig         `yaml:"tls"`
	Log        telemetry.LogConfig   `yaml:"log"`
	Traces     telemetry.TraceConfig `yaml:"traces"`
	Shutdown   shutdownSettings      `yaml:"shutdown"`

	Events     eventSettings     `yaml:"events"`
	Gateway    gateway.Config    `yaml:"gateway"`
	Request    request.Config    `yaml:"request"`
	Response   response.Config   `yaml:"response"`
	GPT        gpt.Config        `yaml:"gpt"`
	Session    session.Config    `yaml:"session"`
	Classifier classifier.Config `yaml:"classifier"`
}

// storeSettings are of the embedded stores.
type storeSettings struct {
	// Flush is what a loss of power may take. "answers": nothing of a turn whose end
	// was told, since the end waits for the disk. "behind": what was told within the
	// last milliseconds, since the end waits for no disk. A killed process takes
	// nothing either way.
	Flush string `yaml:"flush"`
}

// Values of storeSettings.Flush.
const (
	flushAnswers = "answers"
	flushBehind  = "behind"
)

func (s storeSettings) validate() error {
	if s.Flush != flushAnswers && s.Flush != flushBehind {
		return fmt.Errorf("flush: %q: want %s or %s", s.Flush, flushAnswers, flushBehind)
	}
	return nil
}

// databaseSettings name the PostgreSQL that all rooms of this process use, each
// in a schema of its own.
type databaseSettings struct {
	// URL is "postgres://user:password@host/database". Empty means embedded
	// stores.
	URL string `yaml:"url" secret:"true"`
	// MaxConns bounds the connections of each room. By default those of the five
	// rooms of two replicas fit into the 100 that PostgreSQL takes by itself.
	MaxConns int32 `yaml:"max_conns"`
}

// addresses say where rooms are that this process does not run.
type addresses struct {
	Session    string `yaml:"session" env:"GPTMESH_SESSION_ADDR"`
	Request    string `yaml:"request" env:"GPTMESH_REQUEST_ADDR"`
	Response   string `yaml:"response" env:"GPTMESH_RESPONSE_ADDR"`
	GPT        string `yaml:"gpt" env:"GPTMESH_GPT_ADDR"`
	Classifier string `yaml:"classifier" env:"GPTMESH_CLASSIFIER_ADDR"`
}

// byRoom are the addresses by the names of rooms.
func (a addresses) byRoom() map[string]string {
	return map[string]string{"session": a.Session, "request": a.Request, "response": a.Response, "gpt": a.GPT, "classifier": a.Classifier}
}

// shutdownSettings say how a process stops.
type shutdownSettings struct {
	// LeaveDelay is how long the process goes on serving after it said that it
	// is not ready, so that load balancers notice.
	LeaveDelay time.Duration `yaml:"leave_delay"`
	// DrainTimeout is how long streams may go on after that.
	DrainTimeout time.Duration `yaml:"drain_timeout"`
}

func (s shutdownSettings) validate() error {
	switch {
	case s.LeaveDelay < 0:
		return errors.New("leave_delay: must not be negative")
	case s.DrainTimeout < 0:
		return errors.New("drain_timeout: must not be negative")
	}
	return nil
}

func defaultSettings() settings {
	return settings{
		HTTP: "127.0.0.1:4700", GRPC: "127.0.0.1:4701", Admin: "127.0.0.1:4702", Data: defaultData(),
		RateLimits: ratelimit.DefaultConfig(),
		Store:      storeSettings{Flush: flushAnswers},
		Database:   databaseSettings{MaxConns: 8},
		Events:     eventSettings{Driver: "embedded", Prefix: "gptmesh"},
		Log:        telemetry.LogConfig{Level: "info", Format: "text", Delay: 10 * time.Millisecond},
		Traces:     telemetry.TraceConfig{SampleRatio: 1},
		Shutdown:   shutdownSettings{DrainTimeout: 30 * time.Second},
		Gateway:    gateway.DefaultConfig(),
		Request:    request.DefaultConfig(), Response: response.DefaultConfig(),
		GPT: gpt.DefaultConfig(), Session: session.DefaultConfig(), Classifier: classifier.DefaultConfig(),
	}
}

// defaultData is the user's own data folder, or one here where there is none.
func defaultData() string {
	if dir := os.Getenv("XDG_DATA_HOME"); dir != "" {
		return filepath.Join(dir, "gptmesh")
	}
	if home, err := os.UserHomeDir(); err == nil {
		return filepath.Join(home, ".local", "share", "gptmesh")
	}
	return "gptmesh-data"
}

// loadSettings reads file and environment over the defaults.
func loadSettings(file string) (settings, error) {
	s := defaultSettings()
	err := config.Load(&s, config.Source{File: file, Prefix: prefix})
	return s, err
}

// validate says everything that is wrong, each with its key.
func (s *settings) validate() error {
	var errs []error
	check := func(key string, err error) {
		if err != nil {
			if !strings.HasPrefix(err.Error(), key+".") { // else it names its place itself
				err = fmt.Errorf("%s: %w", key, err)
			}
			errs = append(errs, err)
		}
	}
	check("auth", s.Auth.Validate())
	check("rate_limits", s.RateLimits.Validate())
	check("tls", s.TLS.Validate())
	check("traces", s.Traces.Validate())
	check("store", s.Store.validate())
	check("shutdown", s.Shutdown.validate())
	check("events", s.Events.validate())
	check("gateway", s.Gateway.Validate())
	check("request", s.Request.Validate())
	check("response", s.Response.Validate())
	check("gpt", s.GPT.Validate())
	check("session", s.Session.Validate())
	check("classifier", s.Classifier.Validate())
	_, err := telemetry.OpenLog(s.Log, io.Discard)
	check("log", err)
	for room, address := range s.Addresses.byRoom() {
		if address != "" {
			check("addresses."+room, rpc.CheckAddress(address))
		}
	}
	check("http", s.bindable(s.HTTP))
	if !s.TLS.Enabled() { // with TLS and no keys, certificates are demanded
		check("grpc", s.bindable(s.GRPC))
	}
	if s.Admin != "" && s.Admin != "off" {
		_, _, err := net.SplitHostPort(s.Admin)
		if err != nil {
			err = fmt.Errorf("%q: want host:port, or off", s.Admin)
		}
		check("admin", err)
	}
	check("grpc", apart(s.GRPC, map[string]string{"http": s.HTTP}))
	check("admin", apart(s.Admin, map[string]string{"http": s.HTTP, "grpc": s.GRPC}))
	if s.Database.URL != "" {
		check("database.url", postgres.Config{URL: s.Database.URL}.Validate())
	}
	return errors.Join(errs...)
}

// apart refuses an address that another listener has, unless its port is chosen by
// the system.
func apart(address string, others map[string]string) error {
	if strings.HasSuffix(address, ":0") || address == "" {
		return nil
	}
	for name, other := range others {
		if address == other {
			return fmt.Errorf("%q is the address of %s too", address, name)
		}
	}
	return nil
}

// bindable refuses what is no address, and addresses beyond loopback while no key
// is asked for.
func (s *settings) bindable(address string) error {
	host, _, err := net.SplitHostPort(address)
	if err != nil { // an empty one would be any port of every address
		return fmt.Errorf("%q: want host:port", address)
	}
	if len(s.Auth.APIKeys) > 0 || s.AllowKeyless {
		return nil
	}
	if ip := net.ParseIP(host); host == "localhost" || ip != nil && ip.IsLoopback() {
		return nil
	}
	return fmt.Errorf("%q can be reached from other machines and no API key is set: set GPTMESH_API_KEYS, "+
		"bind a loopback address, or set allow_keyless", address)
}
