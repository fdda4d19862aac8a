package gpt

import (
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
	"github.com/gptmesh/gptmesh/services/gpt/internal/registry"
)

// Config is the room's configuration.
type Config struct {
	// Production turns the test provider echo off.
	Production bool `yaml:"production"`
	// DefaultModel is where turns without a model go: an id or alias. Empty
	// lets the room choose where there is no doubt: the default of the one
	// provider that has one; echo where no provider is configured at all.
	DefaultModel string `yaml:"default_model"`
	// DefaultEmbeddingModel is the same for embeddings.
	DefaultEmbeddingModel string `yaml:"default_embedding_model"`
	// Aliases are other names of models: alias to id.
	Aliases map[string]string `yaml:"aliases"`
	// Providers are configured providers by name. The names of the catalogue
	// (openai, groq, ollama …) bring their address and the rest with them; any
	// other name needs a base_url. Providers of the catalogue whose key stands
	// in the environment need no entry.
	Providers map[string]ProviderConfig `yaml:"providers"`
	// Routes are names that lead to several targets: failover, load over several
	// keys or regions, hedging. See RouteConfig.
	Routes map[string]RouteConfig `yaml:"routes"`
	// Models override what is known of models, by "provider/name" or name.
	Models map[string]ModelConfig `yaml:"models"`
	// Discovery finds servers on this machine.
	Discovery DiscoveryConfig `yaml:"discovery"`
	// HTTP2 lets providers choose HTTP/2, over which calls share connections. A
	// call costs this process more then than over HTTP/1.1. Default false.
	HTTP2 bool `yaml:"http2"`
	// Timeouts bound a call.
	Timeouts TimeoutsConfig `yaml:"timeouts"`
	// Retry says when a call is made again.
	Retry RetryConfig `yaml:"retry"`
	// Breaker keeps calls from targets that fail.
	Breaker BreakerConfig `yaml:"breaker"`
	// Concurrency bounds calls under way at one provider with one key; a provider
	// may have its own. The bound adapts: it falls when the provider refuses for
	// load and rises again up to max_running.
	Concurrency ConcurrencyConfig `yaml:"concurrency"`
	// Listing says how lists of models are kept.
	Listing ListingConfig `yaml:"listing"`
	// Ledger says how attempts are kept.
	Ledger LedgerConfig `yaml:"ledger"`
	// MaxEventBytes bounds one event of a provider's stream.
	MaxEventBytes int `yaml:"max_event_bytes"`
	// MaxAnswerBytes bounds a whole answer that is not streamed.
	MaxAnswerBytes int64 `yaml:"max_answer_bytes"`
}

// ProviderConfig is one provider. Zero fields take the catalogue's value.
type ProviderConfig struct {
	// Kind is the adapter: openai (the default), anthropic, ollama, gemini,
	// bedrock.
	Kind string `yaml:"kind"`
	// BaseURL is its address, as in the catalogue: with /v1 for most.
	BaseURL string `yaml:"base_url"`
	// APIKey is its key. Better left to a variable.
	APIKey string `yaml:"api_key" secret:"true"`
	// APIKeyEnv names the variable with the key.
	APIKeyEnv string `yaml:"api_key_env"`
	// APIKeys are further keys, and APIKeyEnvs further variables with keys. Calls
	// are spread over all of them by latency; one that is limited or refused is
	// passed over. A variable that is not set is left out.
	APIKeys    []string `yaml:"api_keys" secret:"true"`
	APIKeyEnvs []string `yaml:"api_key_envs"`
	// Auth is how the key is sent: bearer, api-key, x-api-key, x-goog-api-key,
	// none.
	Auth string `yaml:"auth"`
	// Region is where Amazon's models run; AWS_REGION by default.
	Region string `yaml:"region"`
	// AccessKeyID, SecretAccessKey and SessionToken sign the calls of Amazon's
	// models where there is no api_key. Better left to Amazon's own variables.
	AccessKeyID     string `yaml:"access_key_id"`
	SecretAccessKey string `yaml:"secret_access_key" secret:"true"`
	SessionToken    string `yaml:"session_token" secret:"true"`
	// Headers are sent with every call.
	Headers map[string]string `yaml:"headers" secret:"true"`
	// Query is added to every address, as "api-version=2024-10-21".
	Query string `yaml:"query"`
	// Quirks are names of deviations that the wire's codec knows.
	Quirks []string `yaml:"quirks"`
	// Models are the names of its models where it has no list.
	Models []string `yaml:"models"`
	// DefaultModel is its model for turns without a model.
	DefaultModel string `yaml:"default_model"`
	// Disabled leaves it out, key or not.
	Disabled bool `yaml:"disabled"`
	// Concurrency replaces the room's bounds where its max_running is set.
	Concurrency ConcurrencyConfig `yaml:"concurrency"`
}

// ModelConfig is what is known of a model. Zero fields change nothing.
type ModelConfig struct {
	// DisplayName is for people.
	DisplayName string `yaml:"display_name"`
	// ContextLength and MaxOutputTokens are its bounds.
	ContextLength   int64 `yaml:"context_length"`
	MaxOutputTokens int64 `yaml:"max_output_tokens"`
	// EmbeddingLength is the size of its vectors.
	EmbeddingLength int64 `yaml:"embedding_length"`
	// Capabilities replace the known ones: chat, tools, vision, reasoning, json,
	// embedding, fim, audio, files.
	Capabilities []string `yaml:"capabilities"`
	// Prices replace the known ones.
	Prices *PricesConfig `yaml:"prices"`
}

// PricesConfig is in currency units per million tokens.
type PricesConfig struct {
	// Currency is the ISO code; USD by default.
	Currency string `yaml:"currency"`
	// Input, Output, CachedInput and CacheWrite are the prices.
	Input       float64 `yaml:"input"`
	Output      float64 `yaml:"output"`
	CachedInput float64 `yaml:"cached_input"`
	CacheWrite  float64 `yaml:"cache_write"`
	// Version names the price list; "config" by default.
	Version string `yaml:"version"`
}

// DiscoveryConfig finds servers on this machine.
type DiscoveryConfig struct {
	// Enabled looks for Ollama and llama.cpp at their usual addresses.
	Enabled bool `yaml:"enabled"`
	// OllamaURL and LlamaCppURL are where to look.
	OllamaURL   string `yaml:"ollama_url"`
	LlamaCppURL string `yaml:"llamacpp_url"`
	// Timeout bounds one look.
	Timeout time.Duration `yaml:"timeout"`
	// Interval is the pause before the next look while nothing is found.
	Interval time.Duration `yaml:"interval"`
}

// TimeoutsConfig bounds a call. Each has an error reason of its own.
type TimeoutsConfig struct {
	// FirstToken bounds the wait for the first event of a stream:
	// FIRST_TOKEN_TIMEOUT.
	FirstToken time.Duration `yaml:"first_token"`
	// Idle bounds the wait for each further one: IDLE_TIMEOUT.
	Idle time.Duration `yaml:"idle"`
	// Answer bounds the wait of each attempt for an answer that comes in one piece, or
	// for vectors: FIRST_TOKEN_TIMEOUT, and "timeout" of fallback_on. 0, the default,
	// leaves it to total, since such an answer takes as long as it is long.
	Answer time.Duration `yaml:"answer"`
	// Total bounds a whole call, all its attempts: DEADLINE_EXCEEDED.
	Total time.Duration `yaml:"total"`
	// Connect bounds connecting to a provider.
	Connect time.Duration `yaml:"connect"`
}

// RetryConfig says when a call is made again. Never after the first chunk.
type RetryConfig struct {
	// MaxAttempts is how often one call is made at most, the first included.
	MaxAttempts int `yaml:"max_attempts"`
	// BaseDelay and MaxDelay bound the pause, which grows twofold and is drawn
	// evenly between 0 and its bound.
	BaseDelay time.Duration `yaml:"base_delay"`
	MaxDelay  time.Duration `yaml:"max_delay"`
	// MaxRetryAfter is the longest wish of a provider that is waited for; a
	// longer one ends the call.
	MaxRetryAfter time.Duration `yaml:"max_retry_after"`
	// ServerErrors makes calls again that were answered with 500, 502, 503, 504
	// or 529.
	ServerErrors bool `yaml:"server_errors"`
	// Unknown makes calls again whose connection broke before an answer, though
	// the provider may have begun: it may then be paid twice.
	Unknown bool `yaml:"unknown"`
	// Budget is how many more calls retries may make, as a share of all calls of
	// a provider; the first ten are free.
	Budget float64 `yaml:"budget"`
}

// BreakerConfig keeps calls from targets that fail: a model at a provider with one
// key. What a client's own leaving or faults bring about never counts.
type BreakerConfig struct {
	// Failures in a row open the breaker.
	Failures int `yaml:"failures"`
	// OpenFor is the time until one call may try again.
	OpenFor time.Duration `yaml:"open_for"`
}

// ConcurrencyConfig bounds the calls of one provider with one key.
type ConcurrencyConfig struct {
	// MaxRunning is how many run at once, at most.
	MaxRunning int `yaml:"max_running"`
	// LeastRunning is the lowest bound that a provider's refusals for load and
	// time-outs lead to; never more than MaxRunning. The higher it is, the less
	// one slow call holds up others, and the more calls an overloaded provider
	// still gets.
	LeastRunning int `yaml:"least_running"`
	// MaxWaiting is how many wait for a place; more are refused at once.
	MaxWaiting int `yaml:"max_waiting"`
	// MaxWait is how long one waits.
	MaxWait time.Duration `yaml:"max_wait"`
}

// ListingConfig says how lists of models are kept.
type ListingConfig struct {
	// TTL is how long a list is fresh; an old one is used while it is renewed.
	TTL time.Duration `yaml:"ttl"`
	// ErrorTTL is the pause after a failure.
	ErrorTTL time.Duration `yaml:"error_ttl"`
	// Timeout bounds the asking.
	Timeout time.Duration `yaml:"timeout"`
}

// LedgerConfig says how attempts are kept.
type LedgerConfig struct {
	// WriteTimeout bounds a write that must happen though the client left.
	WriteTimeout time.Duration `yaml:"write_timeout"`
	// ReserveFirst lets no byte go to a provider before the row of its call is
	// where the end of the process does not take it: the default. In PostgreSQL that
	// is a commit, in the embedded store a write that is flushed beside the call, so
	// that a loss of power within those milliseconds may leave a call without a row.
	// The row is written while the connection is made. Without it only the first
	// chunk waits.
	ReserveFirst bool `yaml:"reserve_first"`
	// FlushFirst lets no byte go to a provider before the row is on the disk.
	FlushFirst bool `yaml:"flush_first"`
	// Heartbeat is how often a process says that it lives, and Grace how long a
	// silent one counts as alive: more than two heartbeats. For a shared store.
	Heartbeat time.Duration `yaml:"heartbeat"`
	Grace     time.Duration `yaml:"grace"`
	// Retention is how long a row is kept after its call began: at least 24h. 0 keeps
	// it for ever.
	Retention time.Duration `yaml:"retention"`
	// SweepInterval is how often rows that are older are removed.
	SweepInterval time.Duration `yaml:"sweep_interval"`
}

// leastRetention leaves everybody who asks what a call has used the time to do so.
const leastRetention = 24 * time.Hour

// DefaultConfig returns the defaults.
func DefaultConfig() Config {
	return Config{
		Discovery: DiscoveryConfig{
			Enabled: true, OllamaURL: "http://127.0.0.1:11434", LlamaCppURL: "http://127.0.0.1:8080/v1",
			Timeout: 500 * time.Millisecond, Interval: 30 * time.Second,
		},
		Timeouts: TimeoutsConfig{FirstToken: 2 * time.Minute, Idle: time.Minute, Total: 15 * time.Minute, Connect: 10 * time.Second},
		Retry: RetryConfig{
			MaxAttempts: 3, BaseDelay: 250 * time.Millisecond, MaxDelay: 5 * time.Second, MaxRetryAfter: 5 * time.Second,
			ServerErrors: true, Budget: 0.1,
		},
		Breaker:        BreakerConfig{Failures: 5, OpenFor: 30 * time.Second},
		Concurrency:    ConcurrencyConfig{MaxRunning: 10_000, LeastRunning: 16, MaxWaiting: 4096, MaxWait: 30 * time.Second},
		Listing:        ListingConfig{TTL: 5 * time.Minute, ErrorTTL: 15 * time.Second, Timeout: 10 * time.Second},
		Ledger:         LedgerConfig{WriteTimeout: 10 * time.Second, ReserveFirst: true, Heartbeat: 5 * time.Second, Grace: 15 * time.Second, SweepInterval: 10 * time.Minute},
		MaxEventBytes:  8 << 20,
		MaxAnswerBytes: 64 << 20,
	}
}

// Validate returns an error that names the first key that is wrong.
func (c Config) Validate() error {
	for _, v := range []struct {
		key string
		ok  bool
	}{
		{"discovery.timeout", c.Discovery.Timeout > 0},
		{"discovery.interval", c.Discovery.Interval > 0},
		{"timeouts.first_token", c.Timeouts.FirstToken > 0},
		{"timeouts.idle", c.Timeouts.Idle > 0},
		{"timeouts.answer", c.Timeouts.Answer >= 0},
		{"timeouts.total", c.Timeouts.Total > 0},
		{"timeouts.connect", c.Timeouts.Connect > 0},
		{"retry.max_attempts", c.Retry.MaxAttempts > 0},
		{"retry.base_delay", c.Retry.BaseDelay > 0},
		{"retry.max_delay", c.Retry.MaxDelay >= c.Retry.BaseDelay},
		{"retry.max_retry_after", c.Retry.MaxRetryAfter >= 0},
		{"retry.budget", c.Retry.Budget >= 0 && c.Retry.Budget <= 1},
		{"breaker.failures", c.Breaker.Failures > 0},
		{"breaker.open_for", c.Breaker.OpenFor > 0},
		{"concurrency.max_running", c.Concurrency.MaxRunning > 0},
		{"concurrency.least_running", c.Concurrency.LeastRunning > 0},
		{"concurrency.max_waiting", c.Concurrency.MaxWaiting >= 0},
		{"concurrency.max_wait", c.Concurrency.MaxWait > 0},
		{"listing.ttl", c.Listing.TTL > 0},
		{"listing.error_ttl", c.Listing.ErrorTTL > 0},
		{"listing.timeout", c.Listing.Timeout > 0},
		{"ledger.write_timeout", c.Ledger.WriteTimeout > 0},
		{"ledger.heartbeat", c.Ledger.Heartbeat > 0},
		{"ledger.grace", c.Ledger.Grace > 2*c.Ledger.Heartbeat},
		{"ledger.retention", c.Ledger.Retention == 0 || c.Ledger.Retention >= leastRetention},
		{"ledger.sweep_interval", c.Ledger.SweepInterval > 0},
		{"max_event_bytes", c.MaxEventBytes > 0},
		{"max_answer_bytes", c.MaxAnswerBytes > 0},
	} {
		if !v.ok {
			return fmt.Errorf("gpt.%s: the value is out of range", v.key)
		}
	}
	for alias, target := range c.Aliases {
		if alias == "" || target == "" || c.Aliases[target] != "" {
			return fmt.Errorf("gpt.aliases.%s: must name a model, not another alias", alias)
		}
	}
	for name, p := range c.Providers {
		if err := p.validate(name); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Routes)) {
		if err := c.Routes[name].validate(name, c.Routes); err != nil {
			return err
		}
	}
	for _, name := range slices.Sorted(maps.Keys(c.Models)) {
		if err := c.Models[name].validate(name); err != nil {
			return err
		}
	}
	return nil
}

func (m ModelConfig) validate(name string) error {
	key := "gpt.models." + name
	for _, capability := range m.Capabilities {
		if catalog.CapabilityOf(capability) == 0 {
			return fmt.Errorf("%s.capabilities: nothing is called %q", key, capability)
		}
	}
	prices := PricesConfig{}
	if m.Prices != nil {
		prices = *m.Prices
	}
	for _, v := range []struct {
		key string
		ok  bool
	}{
		{"context_length", m.ContextLength >= 0},
		{"max_output_tokens", m.MaxOutputTokens >= 0},
		{"embedding_length", m.EmbeddingLength >= 0},
		{"prices.input", prices.Input >= 0},
		{"prices.output", prices.Output >= 0},
		{"prices.cached_input", prices.CachedInput >= 0},
		{"prices.cache_write", prices.CacheWrite >= 0},
	} {
		if !v.ok {
			return fmt.Errorf("%s.%s: must not be negative", key, v.key)
		}
	}
	return nil
}

func (p ProviderConfig) validate(name string) error {
	key := "gpt.providers." + name
	known, err := catalog.Load()
	if err != nil {
		return err
	}
	if name == "" || strings.ContainsAny(name, "/? \t\n") {
		return fmt.Errorf("%s: a provider's name has no slash, question mark or space", key)
	}
	if name == "echo" {
		return fmt.Errorf("%s: the name belongs to the built-in test provider", key)
	}
	if name == registry.RouteProvider {
		return fmt.Errorf("%s: the name stands for routes", key)
	}
	if p.Kind != "" && !slices.Contains(catalog.Kinds(), p.Kind) {
		return fmt.Errorf("%s.kind: use one of %s", key, strings.Join(catalog.Kinds(), ", "))
	}
	if p.Auth != "" && !slices.Contains(catalog.Auths(), p.Auth) {
		return fmt.Errorf("%s.auth: use one of %s", key, strings.Join(catalog.Auths(), ", "))
	}
	if strings.Trim(p.Region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "" {
		return fmt.Errorf("%s.region: must be a name such as us-east-1", key)
	}
	if (p.AccessKeyID == "") != (p.SecretAccessKey == "") {
		return fmt.Errorf("%s.secret_access_key: must be set together with access_key_id", key)
	}
	if p.BaseURL == "" && known.Provider(name) == nil && (p.Kind != catalog.KindBedrock || p.Region == "") {
		return fmt.Errorf("%s.base_url: must be set, since no provider of this name is known", key)
	}
	if p.BaseURL != "" && p.Kind != catalog.KindOllama && name != "ollama" {
		if u, err := url.Parse(p.BaseURL); err != nil || u.Host == "" || u.User != nil {
			return fmt.Errorf("%s.base_url: must be an http or https address without credentials", key)
		}
	}
	kind := p.Kind
	if descriptor := known.Provider(name); kind == "" && descriptor != nil {
		kind = descriptor.Kind
	}
	if err := checkQuirks(name, or(kind, catalog.KindOpenAI), p.Quirks); err != nil {
		return err
	}
	if c := p.Concurrency; c.MaxRunning < 0 || c.LeastRunning < 0 || c.MaxWaiting < 0 || c.MaxWait < 0 {
		return fmt.Errorf("%s.concurrency: must not be negative", key)
	}
	return nil
}
