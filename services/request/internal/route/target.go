package route

import (
	"math"
	"net"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
)

// Target is a model as a policy sees it.
type Target struct {
	// ID is how the gpt room is asked for it; Provider has it, under Name.
	ID, Provider, Name string
	// Aliases are other names that lead to it.
	Aliases []string
	// Capabilities, Context and MaxOutput are as in the catalogue; 0 is unknown.
	Capabilities       []gptv1.Capability
	Context, MaxOutput int64
	// Prices is nil where unknown.
	Prices *gptv1.Prices
	// SelfHosted says that it runs on this machine or in a private network: it
	// is free of charge where it has no price.
	SelfHosted bool
	// Region is where it runs, where the address tells.
	Region string
	// Quality is how capable it is taken to be, 0 to 1, and QualityFrom why.
	Quality     float64
	QualityFrom string
	// Test marks models that make no real answers.
	Test bool
	// Route marks a name that leads to several targets of the catalogue: a
	// candidate only where the policy lists it.
	Route bool
	// Down says why it cannot be used now. Empty where it can.
	Down string
	// First is the time to its first token as the gpt room saw it; 0 is unknown.
	First time.Duration
}

// Quality sets the quality of models by globs.
type Quality struct {
	// Models is a glob of ids or "provider/name".
	Models string `yaml:"models"`
	// Quality is from 0 to 1.
	Quality float64 `yaml:"quality"`
}

// Catalogue is the models of one moment. It is read-only.
type Catalogue struct {
	Targets []*Target
	byName  map[string]*Target
}

// NewCatalogue makes targets of what the gpt room lists. now tells which limits
// of providers still hold.
func NewCatalogue(models []*gptv1.Model, providers []*gptv1.Provider, quality []Quality, now time.Time) *Catalogue {
	states := make(map[string]*gptv1.Provider, len(providers))
	seen := map[string]lane{}
	for _, p := range providers {
		states[p.GetName()] = p
		for _, t := range p.GetTargets() {
			name, _, _ := strings.Cut(t.GetName(), "#")
			name, _, _ = strings.Cut(name, "@")
			seen[name] = seen[name].with(t, now)
		}
	}
	c := &Catalogue{byName: make(map[string]*Target, 2*len(models))}
	for _, m := range models {
		t := &Target{
			ID: m.GetId(), Provider: m.GetProvider(), Name: m.GetProviderModel(), Aliases: m.GetAliases(),
			Capabilities: m.GetCapabilities(), Context: m.GetContextLength(), MaxOutput: m.GetMaxOutputTokens(),
			Prices: m.GetPrices(), Test: m.GetTestModel(), Route: len(m.GetTargets()) > 0,
		}
		if p := states[m.GetProvider()]; p != nil && !t.Route {
			t.SelfHosted, t.Region = place(p)
			t.Down = down(p)
		}
		if l, ok := seen[t.Provider+"/"+t.Name]; ok && !t.Route {
			if t.First = l.first; t.Down == "" && !l.usable {
				t.Down = l.reason
			}
		}
		t.Quality, t.QualityFrom = qualityOf(t, m, quality)
		c.Targets = append(c.Targets, t)
	}
	for _, t := range c.Targets {
		for _, alias := range t.Aliases {
			c.byName[alias] = t
		}
	}
	for _, t := range c.Targets {
		c.byName[t.Provider+"/"+t.Name] = t
	}
	for _, t := range c.Targets {
		c.byName[t.ID] = t
	}
	for i, m := range models {
		if c.Targets[i].Route {
			c.lead(c.Targets[i], m.GetTargets())
		}
	}
	return c
}

// lead gives a route what it lacks from the targets that it leads to: it is down
// where all of them are.
func (c *Catalogue) lead(route *Target, names []string) {
	up, known := false, false
	for _, name := range names {
		t := c.byName[name]
		if t == nil || t == route {
			continue
		}
		if !known {
			known = true
			route.SelfHosted, route.Region, route.First = t.SelfHosted, t.Region, t.First
			if route.Prices == nil {
				route.Prices = t.Prices
			}
			if route.QualityFrom != configured {
				route.Quality, route.QualityFrom = t.Quality, t.QualityFrom
			}
		}
		up = up || t.Down == ""
	}
	if known && !up {
		route.Down = "all of its targets are unavailable"
	}
}

// down says why a provider cannot be used now; empty where it can.
func down(p *gptv1.Provider) string {
	switch p.GetState() {
	case gptv1.Provider_STATE_UNAVAILABLE, gptv1.Provider_STATE_NOT_CONFIGURED:
		if p.GetReason() != "" {
			return "its provider is unavailable: " + p.GetReason()
		}
		return "its provider is unavailable"
	}
	return ""
}

// lane is what the gpt room saw of a model over all keys and addresses.
type lane struct {
	usable bool
	reason string
	first  time.Duration // of the quickest
}

func (l lane) with(t *gptv1.Target, now time.Time) lane {
	first := time.Duration(t.GetFirstTokenMicros()) * time.Microsecond
	if first > 0 && (l.first == 0 || first < l.first) {
		l.first = first
	}
	switch {
	case t.GetState() == gptv1.Provider_STATE_UNAVAILABLE:
		l.reason = "it is unavailable: " + t.GetReason()
	case t.GetAvoidedUntil() != nil && t.GetAvoidedUntil().AsTime().After(now):
		l.reason = "its provider limits it until " + t.GetAvoidedUntil().AsTime().UTC().Format("15:04:05")
	default:
		l.usable = true
	}
	return l
}

// Real says whether there is any model that is no test model.
func (c *Catalogue) Real() bool {
	if c == nil {
		return false
	}
	for _, t := range c.Targets {
		if !t.Test {
			return true
		}
	}
	return false
}

// Find returns the target of an id, alias or "provider/name", or nil.
func (c *Catalogue) Find(name string) *Target {
	if c == nil {
		return nil
	}
	return c.byName[name]
}

// has says whether a target has a capability.
func (t *Target) has(capability gptv1.Capability) bool {
	return slices.Contains(t.Capabilities, capability)
}

// Priced says whether a cost can be told.
func (t *Target) Priced() bool { return t.Prices != nil || t.SelfHosted }

// CostNanos is the cost of tokens in billionths of a currency unit; 0 where no
// price is known.
func (t *Target) CostNanos(input, cached, cacheWrite, output int64) int64 {
	p := t.Prices
	if p == nil {
		return 0
	}
	rate := func(price float64) float64 {
		if price == 0 {
			return p.GetInputPerMillion()
		}
		return price
	}
	plain := max(0, input-cached-cacheWrite)
	cost := float64(plain)*p.GetInputPerMillion() + float64(cached)*rate(p.GetCachedInputPerMillion()) +
		float64(cacheWrite)*rate(p.GetCacheWritePerMillion()) + float64(output)*p.GetOutputPerMillion()
	return int64(math.Round(cost * 1000))
}

// place reads from a provider's address where it is.
func place(p *gptv1.Provider) (selfHosted bool, region string) {
	u, err := url.Parse(p.GetBaseUrl())
	if err != nil || u.Hostname() == "" {
		return p.GetTestProvider(), ""
	}
	host := strings.ToLower(u.Hostname())
	addr, err := netip.ParseAddr(host)
	switch {
	case err == nil && (addr.IsLoopback() || addr.IsPrivate() || addr.IsLinkLocalUnicast()),
		host == "localhost", strings.HasSuffix(host, ".local"), strings.HasSuffix(host, ".internal"),
		!strings.Contains(host, ".") && net.ParseIP(host) == nil:
		return true, "local"
	}
	return false, regions.FindString(host)
}

// regions are names of regions in addresses: Amazon's ("eu-west-1"), Google's
// ("europe-west4"), and the plain "eu" and "us".
var regions = regexp.MustCompile(`\b(?:[a-z]{2}(?:-gov)?-[a-z]{4,}-\d|(?:us|europe|asia|australia|africa|me|northamerica|southamerica)-[a-z]{4,}\d|eu|us)\b`)

// configured says that the configuration tells a model's quality.
const configured = "the configuration"

// qualityOf estimates how capable a model is: from the configuration, the
// number of its parameters, or its price, in this order.
func qualityOf(t *Target, m *gptv1.Model, rules []Quality) (quality float64, from string) {
	for _, q := range rules {
		if matchAny([]string{q.Models}, t.ID, t.Provider+"/"+t.Name, t.Name) {
			return q.Quality, configured
		}
	}
	if n := parameters(m.GetParameterSize()); n > 0 {
		return bySize(n), "its size"
	}
	if p := t.Prices; p != nil && p.GetInputPerMillion()+p.GetOutputPerMillion() > 0 {
		return byPrice((3*p.GetInputPerMillion() + p.GetOutputPerMillion()) / 4), "its price"
	}
	if n := parameters(sizeInName.FindString(strings.ToLower(t.Name))); n > 0 {
		return bySize(n), "the size in its name"
	}
	return 0.4, "nothing: unknown"
}

// byPrice: a dime per million is 0.35, a dollar 0.57, ten 0.79.
func byPrice(blended float64) float64 { return clamp(0.57+0.22*math.Log10(blended), 0.1, 0.98) }

// bySize: 1 billion parameters are 0.2, 8 are 0.42, 70 are 0.65, 400 are 0.83.
func bySize(billions float64) float64 { return clamp(0.2+0.242*math.Log10(billions), 0.05, 0.95) }

var sizeInName = regexp.MustCompile(`\b\d+(?:\.\d+)?[bm]\b`)

// parameters reads "8B", "137M" or "8.03B" as billions.
func parameters(text string) float64 {
	text = strings.ToLower(strings.TrimSpace(text))
	unit := 1.0
	switch {
	case strings.HasSuffix(text, "b"):
	case strings.HasSuffix(text, "m"):
		unit = 1e-3
	default:
		return 0
	}
	n, err := strconv.ParseFloat(text[:len(text)-1], 64)
	if err != nil || n <= 0 {
		return 0
	}
	return n * unit
}

func clamp(x, low, high float64) float64 { return min(max(x, low), high) }
