package gpt

import (
	"bytes"
	"context"
	"io"
	"strings"
	"time"

	"github.com/gptmesh/gptmesh/pkg/upstream"
	"github.com/gptmesh/gptmesh/services/gpt/internal/catalog"
)

// candidate is a server that may run on this machine.
type candidate struct {
	name, address, path string
	sign                []byte // what its answer holds
}

// discover looks for Ollama and llama.cpp at their usual addresses, until both
// are found or configured.
func (s *Service) discover(ctx context.Context) {
	defer s.registry.Discovered()
	if !s.cfg.Discovery.Enabled {
		return
	}
	candidates := []candidate{
		{catalog.KindOllama, s.cfg.Discovery.OllamaURL, "/api/version", []byte(`"version"`)},
		// Many things listen on 8080: only llama.cpp's list names it as the owner.
		{"llamacpp", s.cfg.Discovery.LlamaCppURL, "/models", []byte("llamacpp")},
	}
	for {
		missing := candidates[:0]
		for _, c := range candidates {
			if s.cfg.Providers[c.name].Disabled || s.registry.Entry(c.name) != nil {
				continue
			}
			if !s.found(ctx, c) {
				missing = append(missing, c)
			}
		}
		candidates = missing
		s.registry.Discovered()
		if len(candidates) == 0 {
			return
		}
		timer := time.NewTimer(s.cfg.Discovery.Interval)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// found adds a server if it is there. Whatever answers as this program is not
// taken for a provider: the mesh has such faces itself.
func (s *Service) found(ctx context.Context, c candidate) bool {
	if c.address == "" || !s.probe(ctx, c) {
		return false
	}
	descriptor := s.catalog.Provider(c.name)
	if descriptor == nil {
		return false
	}
	o := s.setting(*descriptor, s.cfg.Providers[c.name])
	o.address = c.address
	entry, err := s.entry(o)
	if err != nil {
		s.deps.Logger.WarnContext(ctx, "a server on this machine cannot be used", "room", "gpt", "provider", c.name, "error", err)
		return false
	}
	s.registry.Add(entry)
	s.deps.Logger.InfoContext(ctx, "found a server on this machine", "room", "gpt", "provider", c.name, "address", c.address)
	return true
}

func (s *Service) probe(ctx context.Context, c candidate) bool {
	target, err := upstream.ParseTarget(strings.TrimRight(c.address, "/") + c.path)
	if err != nil {
		return false
	}
	ctx, cancel := context.WithTimeout(ctx, s.cfg.Discovery.Timeout)
	defer cancel()
	resp, err := s.doer.Do(ctx, &upstream.Request{Method: "GET", Target: target, Header: upstream.Header{
		{Name: "User-Agent", Value: "gptmesh/" + s.deps.Version}, {Name: "Accept", Value: "application/json"},
	}})
	if err != nil {
		return false
	}
	defer resp.Body.Close()
	for _, field := range resp.Header {
		if strings.HasPrefix(strings.ToLower(field.Name), "x-gptmesh") || strings.HasPrefix(field.Value, "gptmesh/") {
			return false
		}
	}
	body, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	return err == nil && resp.Status == 200 && bytes.Contains(body, c.sign)
}
