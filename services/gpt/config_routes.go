package gpt

import (
	"fmt"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
	"github.com/gptmesh/gptmesh/services/gpt/internal/registry"
)

// RouteConfig is a name that clients ask for like a model, and the targets that
// may answer for it:
//
//	gpt:
//	  routes:
//	    smart:
//	      strategy: order              # the first that can take the call
//	      targets:
//	        - {model: openai/gpt-5}
//	        - {model: anthropic/claude-opus-4-1}
//
// Where a target fails before the first token, the next one is tried; the
// client sees nothing of it but the attempts in the ledger.
type RouteConfig struct {
	// Strategy chooses among the targets that can take a call now: "order", the
	// default, takes the first; "weighted" draws by weight; "latency" draws two
	// and takes the quicker one; "price" takes the cheapest. A target whose
	// breaker is open, whose key is limited or whose places are taken is passed
	// over as long as another is there. Several keys of one target are always
	// chosen by latency.
	Strategy string `yaml:"strategy"`
	// Targets are the targets, one at least, in the order of preference.
	Targets []TargetConfig `yaml:"targets"`
	// FallbackOn are the failures after which the next target is tried. The
	// default are those where the provider has not begun, or has clearly
	// declined: unreachable, rate_limited, server_error, key_refused,
	// model_not_found, context_length. Further: content_filter; and, where the
	// provider may have worked and may be paid beside the next one: timeout (no
	// first token in time), unknown (the connection broke before an answer).
	FallbackOn []string `yaml:"fallback_on"`
	// Hedge starts a second target beside a slow first one.
	Hedge HedgeConfig `yaml:"hedge"`
	// Continue says whether another target may go on with an answer that broke
	// off after its first token: "on_request", the default, where the client
	// asks for it (x-gptmesh-on-failure: continue, or on_failure in the turn);
	// "never".
	Continue string `yaml:"continue"`
}

// TargetConfig is one target of a route.
type TargetConfig struct {
	// Model is the model's id, best as "provider/model".
	Model string `yaml:"model"`
	// Weight is its share with the strategy "weighted"; 1 by default, 0 is not
	// possible: leave the target out.
	Weight int `yaml:"weight"`
	// BaseURL, Region, APIKey and APIKeyEnv replace those of the provider for
	// this target alone; model must then begin with the provider's name.
	BaseURL   string `yaml:"base_url"`
	Region    string `yaml:"region"`
	APIKey    string `yaml:"api_key" secret:"true"`
	APIKeyEnv string `yaml:"api_key_env"`
	// APIKeys and APIKeyEnvs are several keys for this target alone.
	APIKeys    []string `yaml:"api_keys" secret:"true"`
	APIKeyEnvs []string `yaml:"api_key_envs"`
}

// HedgeConfig starts a second target where the first has sent no token for a
// while. The first token wins, the other call is cut; both are in the ledger.
// Hedges count as retries in the budget.
type HedgeConfig struct {
	// After is the wait. 0 turns hedging off, unless quantile is set.
	After time.Duration `yaml:"after"`
	// Quantile takes the wait from what was observed: with 0.95, the time in
	// which 95 of 100 answers of the first target began. after is then the
	// wait while too little was observed, and the most; 10s where it is not set.
	Quantile float64 `yaml:"quantile"`
}

// The classes of failures after which another target may be tried.
const (
	onUnreachable   = "unreachable"
	onRateLimited   = "rate_limited"
	onServerError   = "server_error"
	onKeyRefused    = "key_refused"
	onModelNotFound = "model_not_found"
	onContextLength = "context_length"
	onContentFilter = "content_filter"
	onTimeout       = "timeout"
	onUnknown       = "unknown"
)

var (
	fallbackClasses = []string{
		onUnreachable, onRateLimited, onServerError, onKeyRefused, onModelNotFound, onContextLength, onContentFilter, onTimeout, onUnknown,
	}
	fallbackDefault = fallbackClasses[:6]
	strategies      = []string{string(registry.Order), string(registry.Weighted), string(registry.Latencies), string(registry.Price)}
)

// maxTargets bounds the targets of a route.
const maxTargets = 32

func (r RouteConfig) validate(name string, all map[string]RouteConfig) error {
	key := "gpt.routes." + name
	switch {
	case name == "" || name == "auto" || name == "echo" || strings.ContainsAny(name, " \t\n?") || len(name) > 200:
		return fmt.Errorf("%s: a route's name is one of a model: not empty, auto or echo, without space and question mark", key)
	case r.Strategy != "" && !slices.Contains(strategies, r.Strategy):
		return fmt.Errorf("%s.strategy: use one of %s", key, strings.Join(strategies, ", "))
	case len(r.Targets) == 0 || len(r.Targets) > maxTargets:
		return fmt.Errorf("%s.targets: name 1 to %d targets", key, maxTargets)
	case r.Hedge.After < 0:
		return fmt.Errorf("%s.hedge.after: must not be negative", key)
	case r.Hedge.Quantile < 0 || r.Hedge.Quantile >= 1:
		return fmt.Errorf("%s.hedge.quantile: must be at least 0 and below 1, as 0.95", key)
	case r.Continue != "" && r.Continue != "on_request" && r.Continue != "never":
		return fmt.Errorf("%s.continue: use one of on_request, never", key)
	}
	for i, class := range r.FallbackOn {
		if !slices.Contains(fallbackClasses, class) {
			return fmt.Errorf("%s.fallback_on[%d]: use one of %s", key, i, strings.Join(fallbackClasses, ", "))
		}
	}
	for i, t := range r.Targets {
		if err := t.validate(fmt.Sprintf("%s.targets[%d]", key, i), all); err != nil {
			return err
		}
	}
	return nil
}

func (t TargetConfig) validate(key string, all map[string]RouteConfig) error {
	prefix, model, qualified := strings.Cut(t.Model, "/")
	switch {
	case t.Model == "" || t.Model == "auto":
		return fmt.Errorf("%s.model: must name a model, best as provider/model", key)
	case t.own() && (!qualified || prefix == "" || model == ""):
		return fmt.Errorf("%s.model: must be provider/model, since the target has a key or address of its own", key)
	case t.Weight < 0 || t.Weight > 1_000_000:
		return fmt.Errorf("%s.weight: must be 1 to 1000000", key)
	case strings.Trim(t.Region, "abcdefghijklmnopqrstuvwxyz0123456789-") != "":
		return fmt.Errorf("%s.region: must be a name such as us-east-1", key)
	}
	if _, isRoute := all[t.Model]; isRoute && !qualified {
		return fmt.Errorf("%s.model: %s is a route; write provider/%s to mean the model", key, t.Model, t.Model)
	}
	if t.BaseURL != "" {
		if u, err := url.Parse(t.BaseURL); err != nil || u.Host == "" || u.User != nil {
			return fmt.Errorf("%s.base_url: must be an http or https address without credentials", key)
		}
	}
	return nil
}

// own says that the target has a key or address that its provider has not.
func (t TargetConfig) own() bool {
	return t.BaseURL != "" || t.Region != "" || t.APIKey != "" || t.APIKeyEnv != "" || len(t.APIKeys) > 0 || len(t.APIKeyEnvs) > 0
}

// routes makes the routes of the configuration, with providers of their own for
// targets that have a key or address of their own.
func (s *Service) routes() (map[string]*registry.Route, error) {
	out := make(map[string]*registry.Route, len(s.cfg.Routes))
	for name, cfg := range s.cfg.Routes {
		route := &registry.Route{
			Name: name, Strategy: registry.Strategy(or(cfg.Strategy, string(registry.Order))), FallbackOn: cfg.FallbackOn,
			HedgeAfter: cfg.Hedge.After, HedgeQuantile: cfg.Hedge.Quantile, MayContinue: cfg.Continue != "never",
		}
		if cfg.FallbackOn == nil {
			route.FallbackOn = fallbackDefault
		}
		if route.HedgeAfter == 0 && route.HedgeQuantile > 0 {
			route.HedgeAfter = 10 * time.Second
		}
		for i, t := range cfg.Targets {
			target := registry.RouteTarget{Model: t.Model, Weight: max(t.Weight, 1)}
			if t.own() {
				var err error
				if target.Own, err = s.ownProvider(t); err != nil {
					return nil, fmt.Errorf("gpt.routes.%s.targets[%d]: %w", name, i, err)
				}
			}
			route.Targets = append(route.Targets, target)
		}
		out[name] = route
	}
	return out, nil
}

// ownProvider is a target's provider with what the target replaces.
func (s *Service) ownProvider(t TargetConfig) (*registry.Entry, error) {
	name, _, _ := strings.Cut(t.Model, "/")
	cfg, configured := s.cfg.Providers[name]
	descriptor := catalog.Provider{Name: name, KeyOptional: true}
	if known := s.catalog.Provider(name); known != nil {
		descriptor = *known
	} else if !configured {
		return nil, fmt.Errorf("model: no provider is called %s", name)
	}
	if t.BaseURL != "" {
		cfg.BaseURL = t.BaseURL
	}
	if t.Region != "" {
		cfg.Region = t.Region
	}
	if t.APIKey != "" || t.APIKeyEnv != "" || len(t.APIKeys) > 0 || len(t.APIKeyEnvs) > 0 {
		cfg.APIKey, cfg.APIKeyEnv, cfg.APIKeys, cfg.APIKeyEnvs = t.APIKey, t.APIKeyEnv, t.APIKeys, t.APIKeyEnvs
	}
	o := s.setting(descriptor, cfg)
	switch {
	case t.Region != "":
		o.place = "@" + t.Region
	case t.BaseURL != "":
		if u, err := url.Parse(t.BaseURL); err == nil {
			o.place = "@" + u.Host
		}
	}
	return s.entry(o)
}
