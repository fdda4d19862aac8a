package gpt

import (
	"fmt"
	"maps"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	gptv1 "github.com/gptmesh/gptmesh/gen/go/gptmesh/gpt/v1"
	"github.com/gptmesh/gptmesh/pkg/breaker"
	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
	"github.com/gptmesh/gptmesh/services/gpt/internal/limiter"
	"github.com/gptmesh/gptmesh/services/gpt/internal/registry"
	"github.com/gptmesh/gptmesh/services/gpt/provider"
	"github.com/gptmesh/gptmesh/services/gpt/provider/anthropic"
	"github.com/gptmesh/gptmesh/services/gpt/provider/bedrock"
	"github.com/gptmesh/gptmesh/services/gpt/provider/echo"
	"github.com/gptmesh/gptmesh/services/gpt/provider/gemini"
	"github.com/gptmesh/gptmesh/services/gpt/provider/ollama"
	"github.com/gptmesh/gptmesh/services/gpt/provider/openai"
	"github.com/gptmesh/gptmesh/services/gpt/provider/transport"
)

// configured makes the providers that configuration and environment ask for:
// those of the catalogue in its order, then others by name, last the echo.
func (s *Service) configured() ([]*registry.Entry, error) {
	var entries []*registry.Entry
	for i := range s.catalog.Providers {
		descriptor := s.catalog.Providers[i]
		cfg, explicit := s.cfg.Providers[descriptor.Name]
		if cfg.Disabled {
			continue
		}
		setting := s.setting(descriptor, cfg)
		fromEnv := !descriptor.Explicit && (setting.key != "" || setting.addressed != "")
		if !explicit && !fromEnv {
			continue
		}
		entry, err := s.entry(setting)
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	for _, name := range slices.Sorted(maps.Keys(s.cfg.Providers)) {
		cfg := s.cfg.Providers[name]
		if cfg.Disabled || s.catalog.Provider(name) != nil {
			continue
		}
		entry, err := s.entry(s.setting(catalog.Provider{Name: name, KeyOptional: true}, cfg))
		if err != nil {
			return nil, err
		}
		entries = append(entries, entry)
	}
	if !s.cfg.Production {
		entries = append(entries, s.echo())
	}
	return entries, nil
}

// setting is a provider after catalogue, configuration and environment.
type setting struct {
	catalog.Provider
	cfg       ProviderConfig
	key       string // the first of keys
	keys      []labelled
	place     string // what tells it from the provider's own, "@eu-west-1"
	address   string // may be empty
	addressed string // the variable of the environment that has the address
	official  bool
	aws       aws
}

// labelled is a key with a name that can be shown.
type labelled struct{ label, key string }

// keysOf collects the keys of a provider.
func (s *Service) keysOf(o *setting) {
	add := func(label, key string) {
		key = strings.TrimSpace(key)
		if key == "" || slices.ContainsFunc(o.keys, func(k labelled) bool { return k.key == key }) {
			return
		}
		o.keys = append(o.keys, labelled{or(label, strconv.Itoa(len(o.keys)+1)), key})
	}
	cfg := o.cfg
	add("", cfg.APIKey)
	if len(o.keys) == 0 && o.KeyEnv != "" && (cfg.APIKeyEnv != "" || len(cfg.APIKeys)+len(cfg.APIKeyEnvs) == 0) {
		add(o.KeyEnv, s.deps.Getenv(o.KeyEnv))
	}
	for _, name := range o.KeyEnvAlso {
		if len(o.keys) == 0 && cfg.APIKeyEnv == "" && len(cfg.APIKeys)+len(cfg.APIKeyEnvs) == 0 {
			add(name, s.deps.Getenv(name))
		}
	}
	for _, key := range cfg.APIKeys {
		add("", key)
	}
	for _, name := range cfg.APIKeyEnvs {
		add(name, s.deps.Getenv(name))
	}
	if len(o.keys) > 0 {
		o.key = o.keys[0].key
	}
}

func (s *Service) setting(descriptor catalog.Provider, cfg ProviderConfig) setting {
	out := setting{Provider: descriptor, cfg: cfg, address: cfg.BaseURL}
	if cfg.APIKeyEnv != "" {
		out.KeyEnv = cfg.APIKeyEnv
	} else if len(cfg.APIKeyEnvs) > 0 && cfg.APIKey == "" {
		out.KeyEnv = cfg.APIKeyEnvs[0] // to be named where none is set
	}
	s.keysOf(&out)
	for _, name := range descriptor.BaseURLEnv {
		if out.address == "" {
			if out.address = strings.TrimSpace(s.deps.Getenv(name)); out.address != "" {
				out.addressed = name
			}
		}
	}
	if out.address == "" {
		out.address = descriptor.BaseURL
	}
	if cfg.Kind != "" {
		out.Kind = cfg.Kind
	}
	if out.Kind == "" {
		out.Kind = catalog.KindOpenAI
	}
	out.address = withoutEndpoint(out.Kind, out.address)
	out.official = descriptor.BaseURL != "" && strings.TrimRight(out.address, "/") == strings.TrimRight(descriptor.BaseURL, "/")
	if cfg.Auth != "" {
		out.Auth = cfg.Auth
	}
	switch {
	case cfg.Quirks != nil:
		out.Quirks = cfg.Quirks
	case out.official:
		out.Quirks = slices.Concat(out.Quirks, descriptor.OfficialQuirks)
	}
	if out.Kind == catalog.KindBedrock {
		s.settleAWS(&out)
	}
	if cfg.DefaultModel != "" {
		out.DefaultModel, out.official = cfg.DefaultModel, true
	}
	return out
}

// missing names the variable without which the provider cannot be called.
func (o *setting) missing() string {
	switch {
	case o.Kind == catalog.KindBedrock:
		return o.missingAWS()
	case o.address == "" && len(o.BaseURLEnv) > 0:
		return o.BaseURLEnv[0]
	case o.key != "" || o.Auth == catalog.AuthNone:
		return ""
	case o.KeyOptional && (!o.official || local(o.address)):
		return ""
	}
	return o.KeyEnv
}

// local says that an address is on this machine.
func local(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip := net.ParseIP(u.Hostname())
	return u.Hostname() == "localhost" || ip != nil && ip.IsLoopback()
}

// entry makes a provider with all that belongs to it.
func (s *Service) entry(o setting) (*registry.Entry, error) {
	if err := checkQuirks(o.Name, o.Kind, o.cfg.Quirks); err != nil {
		return nil, err
	}
	bounds := s.cfg.Concurrency
	if own := o.cfg.Concurrency; own.MaxRunning > 0 {
		bounds.MaxRunning = own.MaxRunning
		if own.LeastRunning > 0 {
			bounds.LeastRunning = own.LeastRunning
		}
		bounds.MaxWaiting = own.MaxWaiting
		if own.MaxWait > 0 {
			bounds.MaxWait = own.MaxWait
		}
	}
	entry := &registry.Entry{
		Info: provider.Info{Name: o.Name, Kind: o.Kind, BaseURL: o.address}, Descriptor: o.Provider, Official: o.official,
		Missing: o.missing(), FixedModels: o.cfg.Models, Budget: registry.NewBudget(s.cfg.Retry.Budget),
	}
	if entry.Missing != "" {
		return entry, nil
	}
	keys := o.keys
	if len(keys) == 0 {
		keys = []labelled{{}}
	}
	for _, key := range keys {
		o.key = key.key
		built, err := s.adapter(o)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", or(o.addressed, "gpt.providers."+o.Name+".base_url"), err)
		}
		lane := &registry.Lane{
			Key: key.label, Provider: built, Limiter: s.newLimiter(bounds), Breaker: s.newBreaker, Suffix: o.place,
		}
		if len(keys) > 1 {
			lane.Suffix += "#" + key.label
		}
		entry.Lanes = append(entry.Lanes, lane)
	}
	entry.Provider = entry.Lanes[0].Provider
	entry.Info = entry.Provider.Info()
	return entry, nil
}

func (s *Service) newLimiter(bounds ConcurrencyConfig) *limiter.Limiter {
	return limiter.New(limiter.Config{
		Running: bounds.MaxRunning, Least: bounds.LeastRunning, Waiting: bounds.MaxWaiting, MaxWait: bounds.MaxWait, Now: s.deps.Clock,
	})
}

func (s *Service) newBreaker() *breaker.Breaker {
	return breaker.New(breaker.Config{Failures: s.cfg.Breaker.Failures, OpenFor: s.cfg.Breaker.OpenFor, Now: s.deps.Clock})
}

// adapter makes the adapter of a provider's kind.
func (s *Service) adapter(o setting) (provider.Provider, error) {
	cfg := transport.Config{
		Name: o.Name, BaseURL: o.address, Doer: s.doer, Stacks: &s.stacks, UserAgent: "gptmesh/" + s.deps.Version, Query: o.cfg.Query,
		MaxBody: s.cfg.MaxAnswerBytes, MaxEvent: s.cfg.MaxEventBytes, Header: o.header(), Secrets: o.secrets(),
	}
	switch o.Kind {
	case catalog.KindAnthropic:
		return anthropic.New(cfg, codecOf(anthropicWire), o.Quirks)
	case catalog.KindOllama:
		return ollama.New(cfg, o.Quirks)
	case catalog.KindBedrock:
		return bedrock.New(bedrock.Config{
			Config: cfg, Region: o.aws.region, Credentials: o.aws.credentials, Quirks: o.Quirks, Clock: s.deps.Clock,
		})
	case catalog.KindGemini:
		return gemini.New(cfg, o.Quirks)
	}
	return openai.New(cfg, o.Quirks)
}

// header holds the key and what the configuration adds.
func (o *setting) header() (header upstream.Header) {
	if o.key != "" {
		switch o.Auth {
		case catalog.AuthNone:
		case catalog.AuthAPIKey:
			header = append(header, upstream.Field{Name: "Api-Key", Value: o.key})
		case catalog.AuthGoogle:
			header = append(header, upstream.Field{Name: "X-Goog-Api-Key", Value: o.key})
		case catalog.AuthXAPIKey:
			header = append(header, upstream.Field{Name: "X-Api-Key", Value: o.key})
		default:
			header = append(header, upstream.Field{Name: "Authorization", Value: "Bearer " + o.key})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(o.cfg.Headers)) {
		header = append(header, upstream.Field{Name: name, Value: o.cfg.Headers[name]})
	}
	return header
}

// secretFrom is how long a value of the configuration is that may be a secret.
const secretFrom = 8

// secrets are texts that no client may see: the key, and what the configuration adds to
// each call.
func (o *setting) secrets() []string {
	list := []string{o.key}
	for _, value := range o.cfg.Headers {
		if len(value) >= secretFrom {
			list = append(list, value)
		}
	}
	return list
}

// echo makes the test provider. It has no breaker: its failures are asked for.
func (s *Service) echo() *registry.Entry {
	p := echo.New(s.deps.Clock)
	return &registry.Entry{
		Info: p.Info(), Provider: p, Budget: registry.NewBudget(s.cfg.Retry.Budget),
		Lanes: []*registry.Lane{{Provider: p, Limiter: s.newLimiter(s.cfg.Concurrency)}},
	}
}

// override changes what is known of a model as the configuration says.
func (c Config) override(provider string, model *gptv1.Model) {
	for _, name := range []string{model.GetProviderModel(), provider + "/" + model.GetProviderModel()} {
		o, ok := c.Models[name]
		if !ok {
			continue
		}
		if o.DisplayName != "" {
			model.DisplayName = o.DisplayName
		}
		if o.ContextLength > 0 {
			model.ContextLength = o.ContextLength
		}
		if o.MaxOutputTokens > 0 {
			model.MaxOutputTokens = o.MaxOutputTokens
		}
		if o.EmbeddingLength > 0 {
			model.EmbeddingLength = o.EmbeddingLength
		}
		if len(o.Capabilities) > 0 {
			model.Capabilities = nil
			for _, capability := range o.Capabilities {
				model.Capabilities = append(model.Capabilities, catalog.CapabilityOf(capability))
			}
		}
		if p := o.Prices; p != nil {
			model.Prices = &gptv1.Prices{
				Currency: or(p.Currency, "USD"), InputPerMillion: p.Input, OutputPerMillion: p.Output,
				CachedInputPerMillion: p.CachedInput, CacheWritePerMillion: p.CacheWrite, Version: or(p.Version, "config"),
			}
		}
	}
}

func or(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
