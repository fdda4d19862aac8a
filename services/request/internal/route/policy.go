package route

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"math"
	"strings"
	"time"
)

// Policy is a rule by which a model is chosen.
type Policy struct {
	// Description is for people.
	Description string `yaml:"description"`
	// Candidates are globs of models, "gpt-4o*" or "openai/*". Empty means every
	// model that chats, test models aside.
	Candidates []string `yaml:"candidates"`
	// Exclude are globs of models that are never chosen.
	Exclude []string `yaml:"exclude"`
	// Filters say which candidates may be chosen.
	Filters Filters `yaml:"filters"`
	// Weights say what matters. All zero means those of "balanced".
	Weights Weights `yaml:"weights"`
	// Preferences are models by the complexity of the work: the first that can
	// answer is taken, before any score. Where there are none for a complexity,
	// the scores decide.
	Preferences Preferences `yaml:"preferences"`
	// Default is the target where the classifier does not answer within the
	// budget, or no candidate is left. Empty means that a missing answer counts
	// as a middling need, and that the mesh's default model answers where no
	// candidate is left.
	Default string `yaml:"default"`
	// Budget is how long the classifier may take. 0 means classifier_timeout.
	Budget time.Duration `yaml:"budget"`
	// Sticky is "conversation" (the default): a conversation keeps its model
	// while that can answer and is up to the work. "session" does so for sessions
	// only, "off" never.
	Sticky string `yaml:"sticky"`
	// SwitchMargin is how much less up to the work, and reliable, a
	// conversation's model may be than the best one (fit times success, 0 to 1).
	// 0 means 0.15.
	SwitchMargin float64 `yaml:"switch_margin"`
	// Fallbacks is how many of the next-best candidates are tried, in order, where
	// the chosen model fails before its first token. Absent means 2.
	Fallbacks *int `yaml:"fallbacks"`
	// Shadow is a policy that decides beside this one, is recorded, and does not
	// act.
	Shadow string `yaml:"shadow"`
}

// Filters say which candidates may be chosen. Zero values allow all.
type Filters struct {
	// Providers are globs of providers; one must match.
	Providers []string `yaml:"providers"`
	// Regions are globs of regions; one must match the region in the provider's
	// address ("eu-west-1", "westeurope") or "local" for this machine and private
	// networks.
	Regions []string `yaml:"regions"`
	// MaxInputPrice and MaxOutputPrice bound prices per million tokens.
	MaxInputPrice  float64 `yaml:"max_input_price"`
	MaxOutputPrice float64 `yaml:"max_output_price"`
	// MaxCost bounds the expected cost of the turn, in currency units.
	MaxCost float64 `yaml:"max_cost"`
	// MinQuality and MaxQuality bound the model's quality, 0 to 1.
	MinQuality float64 `yaml:"min_quality"`
	MaxQuality float64 `yaml:"max_quality"`
	// MinContext is the shortest context length.
	MinContext int64 `yaml:"min_context"`
	// SelfHosted keeps models on this machine and in private networks.
	SelfHosted bool `yaml:"self_hosted"`
}

// Weights say what matters, each from 0 (not at all).
type Weights struct {
	// Fit is that the model's quality meets the turn's need.
	Fit float64 `yaml:"fit"`
	// Quality is that the model is as capable as can be.
	Quality float64 `yaml:"quality"`
	// Price is that it is cheap.
	Price float64 `yaml:"price"`
	// Latency is that it is quick.
	Latency float64 `yaml:"latency"`
	// Success is that its answers have been whole of late.
	Success float64 `yaml:"success"`
}

// Preferences are models by complexity, best first.
type Preferences struct {
	Simple  []string `yaml:"simple"`
	Medium  []string `yaml:"medium"`
	Complex []string `yaml:"complex"`
}

// The values of Policy.Sticky.
const (
	StickyConversation = "conversation"
	StickySession      = "session"
	StickyOff          = "off"
)

// The built-in policies.
const (
	Auto     = "auto"
	Cheap    = "cheap"
	Balanced = "balanced"
	Best     = "best"
)

var (
	balanced = Weights{Fit: 4, Price: 1.5, Latency: 0.5, Success: 1.5}
	builtIn  = map[string]Policy{
		Auto:     {Description: "the cheapest model that will do", Weights: balanced},
		Balanced: {Description: "the cheapest model that will do", Weights: balanced},
		Cheap:    {Description: "cheap before good, unless the work is clearly beyond it", Weights: Weights{Fit: 1, Price: 2.5, Latency: 0.25, Success: 1}},
		Best:     {Description: "the most capable model", Weights: Weights{Fit: 1, Quality: 6, Price: 0.1, Latency: 0.25, Success: 1}},
	}
)

// BuiltIn returns the built-in policies by name.
func BuiltIn() map[string]Policy {
	out := make(map[string]Policy, len(builtIn))
	for name, p := range builtIn {
		out[name] = p
	}
	return out
}

// Model is how clients ask for a policy.
func Model(policy string) string {
	if policy == Auto {
		return Auto
	}
	return Auto + ":" + policy
}

// Name is the policy that a model's name asks for, where it has the form of
// one: "auto", "auto:latest" and "auto:NAME".
func Name(model string) (policy string, ok bool) {
	if model == Auto {
		return Auto, true
	}
	rest, ok := strings.CutPrefix(model, Auto+":")
	if !ok || rest == "" {
		return "", false
	}
	if rest == "latest" {
		return Auto, true
	}
	return rest, true
}

// Of is the preference for a complexity ("simple", "medium", "complex").
func (p Preferences) Of(complexity string) []string {
	switch complexity {
	case "simple":
		return p.Simple
	case "medium":
		return p.Medium
	case "complex":
		return p.Complex
	}
	return nil
}

// Any says whether anything is preferred.
func (p Preferences) Any() bool { return len(p.Simple)+len(p.Medium)+len(p.Complex) > 0 }

// Classifies says whether the classifier has a say in the policy.
func (p *Policy) Classifies() bool { return p.Weights.Fit > 0 || p.Preferences.Any() }

// Fill puts defaults where nothing is said.
func (p *Policy) Fill(budget time.Duration) {
	if p.Weights == (Weights{}) {
		p.Weights = balanced
	}
	if p.Budget == 0 {
		p.Budget = budget
	}
	if p.Sticky == "" {
		p.Sticky = StickyConversation
	}
	if p.SwitchMargin == 0 {
		p.SwitchMargin = 0.15
	}
}

// Version changes with anything that steers a choice.
func (p *Policy) Version() string {
	q := *p
	q.Description, q.Shadow, q.Fallbacks = "", "", nil
	sum := sha256.Sum256(fmt.Appendf(nil, "%+v", q))
	return hex.EncodeToString(sum[:4])
}

// Validate says which keys are wrong, one error each.
func (p *Policy) Validate() []error {
	var errs []error
	check := func(ok bool, key, rule string) {
		if !ok {
			errs = append(errs, fmt.Errorf("%s: %s", key, rule))
		}
	}
	for key, w := range map[string]float64{
		"weights.fit": p.Weights.Fit, "weights.quality": p.Weights.Quality, "weights.price": p.Weights.Price,
		"weights.latency": p.Weights.Latency, "weights.success": p.Weights.Success, "switch_margin": p.SwitchMargin,
		"filters.max_input_price": p.Filters.MaxInputPrice, "filters.max_output_price": p.Filters.MaxOutputPrice,
		"filters.max_cost": p.Filters.MaxCost,
	} {
		check(w >= 0 && !math.IsInf(w, 0), key, "must not be negative")
	}
	for key, q := range map[string]float64{"filters.min_quality": p.Filters.MinQuality, "filters.max_quality": p.Filters.MaxQuality} {
		check(q >= 0 && q <= 1, key, "must be from 0 to 1")
	}
	check(p.Filters.MinContext >= 0, "filters.min_context", "must not be negative")
	check(p.Fallbacks == nil || *p.Fallbacks >= 0 && *p.Fallbacks <= 8, "fallbacks", "must be from 0 to 8")
	check(p.Budget >= 0, "budget", "must not be negative")
	switch p.Sticky {
	case "", StickyConversation, StickySession, StickyOff:
	default:
		check(false, "sticky", "must be conversation, session or off")
	}
	for key, globs := range map[string][]string{
		"candidates": p.Candidates, "exclude": p.Exclude, "filters.providers": p.Filters.Providers, "filters.regions": p.Filters.Regions,
	} {
		for i, g := range globs {
			check(g != "", fmt.Sprintf("%s[%d]", key, i), "is empty")
		}
	}
	_, reserved := Name(p.Default)
	check(!reserved, "default", "must be a model, not a policy")
	return errs
}

// ValidName says whether a policy may be called so.
func ValidName(name string) bool {
	if name == "" || len(name) > 64 || name == "latest" {
		return false
	}
	return strings.Trim(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.") == ""
}
