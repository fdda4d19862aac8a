package request

import (
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/gptmesh/gptmesh/services/request/internal/route"
)

// Config is how the room works.
type Config struct {
	// Timeout bounds a request that names no timeout.
	Timeout time.Duration `yaml:"timeout"`
	// MaxTimeout bounds what a request may name.
	MaxTimeout time.Duration `yaml:"max_timeout"`
	// MaxTurnBytes bounds a turn: the raw body, or the typed half.
	MaxTurnBytes int `yaml:"max_turn_bytes"`
	// MaxContextTokens is the budget for the history of a session; 0 means no
	// limit.
	MaxContextTokens int64 `yaml:"max_context_tokens"`
	// MaxRunning bounds the requests handled at once; more are OVERLOADED.
	MaxRunning int `yaml:"max_running"`
	// MaxDetached bounds those among them that run without a client.
	MaxDetached int `yaml:"max_detached"`
	// ClassifierTimeout bounds what choosing a model for "auto" may wait for the
	// classifier, where the policy has no budget of its own.
	ClassifierTimeout time.Duration `yaml:"classifier_timeout"`
	// ClassifierWarmup bounds the first classification of the process in place
	// of the policy's budget, where that is shorter: the classifier loads its
	// models when it is first asked.
	ClassifierWarmup time.Duration `yaml:"classifier_warmup"`
	// SessionTimeout bounds a call of the session room.
	SessionTimeout time.Duration `yaml:"session_timeout"`
	// StoreTimeout bounds the writes that happen although the client left.
	StoreTimeout time.Duration `yaml:"store_timeout"`
	// RowDelay is how long a turn without idempotency key that is neither
	// streamed nor outlives its client may have no row, and an eighth more where
	// many are asked for. One that ends sooner is written once, with its end; 0
	// writes every row at once.
	RowDelay time.Duration `yaml:"row_delay"`
	// ResumeTimeout is how long an answer whose stream broke off inside the mesh
	// may bring nothing before its client is told that it was interrupted; 0 tells it
	// at once.
	ResumeTimeout time.Duration `yaml:"resume_timeout"`
	// RepeatUnknown lets the same idempotency key ask a provider again where an
	// earlier call under it ended before its answer came and nobody knows whether
	// the provider did the work. Off, which is the default, such a call is told so
	// (OUTCOME_UNKNOWN): no key ever pays twice.
	RepeatUnknown bool `yaml:"repeat_unknown"`
	// KeyLifetime is how long an idempotency key is kept.
	KeyLifetime time.Duration `yaml:"key_lifetime"`
	// Retention is how long a request is kept after it was accepted, at least
	// KeyLifetime. 0 keeps requests for ever.
	Retention time.Duration `yaml:"retention"`
	// SweepInterval is the pause between removals of expired keys and of requests
	// past retention.
	SweepInterval time.Duration `yaml:"sweep_interval"`
	// RetryInterval is the pause between rounds of storing final states that
	// could not be stored at first.
	RetryInterval time.Duration `yaml:"retry_interval"`
	// PollInterval is the pause between looks at a request that another process
	// handles.
	PollInterval time.Duration `yaml:"poll_interval"`
	// HeartbeatInterval is how often a process says that it lives. PostgreSQL
	// only.
	HeartbeatInterval time.Duration `yaml:"heartbeat_interval"`
	// DeadAfter is the silence after which a process is dead. PostgreSQL only.
	DeadAfter time.Duration `yaml:"dead_after"`
	// Guard says what happens to turns that are a danger to a model.
	Guard Guard `yaml:"guard"`
	// Bounds are the room's own bounds of typed turns.
	Bounds Bounds `yaml:"bounds"`
	// Auto says which models "auto" prefers by the complexity of the work: a
	// short form of policies.auto.preferences and policies.auto.default.
	Auto Auto `yaml:"auto"`
	// Policies are the policies that turns can ask for as "auto:NAME", beside
	// the built-in auto, cheap, balanced and best, whose place they take where
	// they have their name.
	Policies map[string]route.Policy `yaml:"policies"`
	// Experiments compare policies, by the experiment's name.
	Experiments map[string]Experiment `yaml:"experiments"`
	// Quality says how capable models are, where size and price do not tell. The
	// first glob that matches counts.
	Quality []route.Quality `yaml:"quality"`
	// CatalogueTTL is how old the known models may be before they are asked for
	// again, beside the turns.
	CatalogueTTL time.Duration `yaml:"catalogue_ttl"`
	// CatalogueTimeout bounds the wait of the first turns for the models.
	CatalogueTimeout time.Duration `yaml:"catalogue_timeout"`
	// ExperimentsTTL is how old the known experiments may be: how soon a change
	// made through another process is followed.
	ExperimentsTTL time.Duration `yaml:"experiments_ttl"`
}

// Experiment compares a policy with another on live requests.
type Experiment struct {
	// Policy is whose requests take part, and the control.
	Policy string `yaml:"policy"`
	// Treatment is the other policy.
	Treatment string `yaml:"treatment"`
	// Mode is "split" (the default: an A/B test) or "shadow" (the treatment
	// decides, is recorded, and does not act).
	Mode string `yaml:"mode"`
	// Percent is the treatment's share of keys.
	Percent float64 `yaml:"percent"`
	// Key is what a request is assigned by: session (the default), user, owner.
	Key string `yaml:"key"`
	// Metric finds the winner: success (the default), latency, cost, rating.
	Metric string `yaml:"metric"`
	// MinSamples is how many requests each variant needs. 0 means 100.
	MinSamples int64 `yaml:"min_samples"`
	// Alpha is the chance of a false alarm that is accepted. 0 means 0.05.
	Alpha float64 `yaml:"alpha"`
}

// Bounds are checked where the turn does not name a wire whose bounds a face
// has checked.
type Bounds struct {
	// TemperatureMax is the highest temperature; the lowest is 0.
	TemperatureMax float64 `yaml:"temperature_max"`
	// TemperatureWarnBelow and TemperatureWarnAbove mark temperatures that are
	// taken with a warning.
	TemperatureWarnBelow float64 `yaml:"temperature_warn_below"`
	TemperatureWarnAbove float64 `yaml:"temperature_warn_above"`
	// MaxOutputTokens is the highest max_output_tokens; 0 means no limit.
	MaxOutputTokens int64 `yaml:"max_output_tokens"`
}

// Auto are the models for the classifier's complexities. An empty one means
// Default; an empty Default the policy's choice among all models.
type Auto struct {
	Simple  string `yaml:"simple"`
	Medium  string `yaml:"medium"`
	Complex string `yaml:"complex"`
	Default string `yaml:"default"`
}

// DefaultConfig is what is used where nothing else is said.
func DefaultConfig() Config {
	return Config{
		Timeout: 10 * time.Minute, MaxTimeout: 24 * time.Hour, MaxTurnBytes: 32 << 20, MaxContextTokens: 128_000,
		MaxRunning: 10_000, MaxDetached: 1000, ClassifierTimeout: 20 * time.Millisecond, ClassifierWarmup: 250 * time.Millisecond,
		CatalogueTTL: 5 * time.Second, CatalogueTimeout: 2 * time.Second, ExperimentsTTL: 2 * time.Second,
		SessionTimeout: 5 * time.Second, StoreTimeout: 10 * time.Second,
		RowDelay:      100 * time.Millisecond,
		ResumeTimeout: 5 * time.Second, KeyLifetime: 24 * time.Hour, Retention: 30 * 24 * time.Hour, SweepInterval: 10 * time.Minute, RetryInterval: 2 * time.Second,
		PollInterval: 100 * time.Millisecond, HeartbeatInterval: 5 * time.Second, DeadAfter: 15 * time.Second,
		Guard:  Guard{Mode: guardFlag, Timeout: 100 * time.Millisecond, FlagRate: 100},
		Bounds: Bounds{TemperatureMax: 1, TemperatureWarnBelow: 0.2, TemperatureWarnAbove: 0.8},
	}
}

// Validate says which key is wrong.
func (c Config) Validate() error {
	var errs []error
	check := func(ok bool, key, rule string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %s", key, rule))
		}
	}
	for key, d := range map[string]time.Duration{
		"timeout": c.Timeout, "classifier_timeout": c.ClassifierTimeout, "catalogue_ttl": c.CatalogueTTL,
		"catalogue_timeout": c.CatalogueTimeout, "experiments_ttl": c.ExperimentsTTL, "session_timeout": c.SessionTimeout,
		"store_timeout": c.StoreTimeout, "key_lifetime": c.KeyLifetime, "sweep_interval": c.SweepInterval,
		"retry_interval": c.RetryInterval, "poll_interval": c.PollInterval, "heartbeat_interval": c.HeartbeatInterval,
	} {
		check(d > 0, key, "must be positive")
	}
	check(c.Retention == 0 || c.Retention >= c.KeyLifetime, "retention", "must be 0 or at least key_lifetime")
	check(c.ClassifierWarmup >= 0, "classifier_warmup", "must not be negative")
	check(c.RowDelay >= 0, "row_delay", "must not be negative")
	check(c.ResumeTimeout >= 0, "resume_timeout", "must not be negative")
	check(c.MaxTimeout >= c.Timeout, "max_timeout", "must not be less than timeout")
	check(c.MaxTurnBytes > 0, "max_turn_bytes", "must be positive")
	check(c.MaxContextTokens >= 0, "max_context_tokens", "must not be negative")
	check(slices.Contains(guardModes, c.Guard.Mode), "guard.mode", "must be off, flag, redact or refuse")
	check(c.Guard.Timeout > 0, "guard.timeout", "must be positive")
	check(c.Guard.FlagRate >= 0, "guard.flag_rate", "must not be negative")
	check(c.MaxRunning > 0, "max_running", "must be positive")
	check(c.MaxDetached > 0, "max_detached", "must be positive")
	check(c.DeadAfter > 2*c.HeartbeatInterval, "dead_after", "must be more than twice heartbeat_interval")
	check(c.Bounds.TemperatureMax > 0 && c.Bounds.TemperatureMax <= 2, "bounds.temperature_max", "must be more than 0 and at most 2")
	check(c.Bounds.MaxOutputTokens >= 0, "bounds.max_output_tokens", "must not be negative")
	_, err := c.policies()
	return errors.Join(errors.Join(errs...), err, c.validateExperiments())
}
