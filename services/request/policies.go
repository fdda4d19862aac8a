package request

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/gptmesh/gptmesh/services/request/internal/route"
)

// policy is a policy that turns can ask for.
type policy struct {
	route.Policy
	name, version string
	builtIn       bool
}

// policies are the built-in policies and those of the configuration, by name.
func (c Config) policies() (map[string]*policy, error) {
	var errs []error
	out := map[string]*policy{}
	for name, p := range route.BuiltIn() {
		out[name] = &policy{Policy: p, name: name, builtIn: true}
	}
	if c.Auto != (Auto{}) {
		if _, ok := c.Policies[route.Auto]; ok {
			errs = append(errs, errors.New("auto: says the same as policies.auto: use one of them"))
		}
		p := out[route.Auto]
		p.Default, p.builtIn = c.Auto.Default, false
		for list, model := range map[*[]string]string{
			&p.Preferences.Simple: c.Auto.Simple, &p.Preferences.Medium: c.Auto.Medium, &p.Preferences.Complex: c.Auto.Complex,
		} {
			if model = orElse(model, c.Auto.Default); model != "" {
				*list = []string{model}
			}
		}
	}
	for name, p := range c.Policies {
		key := "policies." + name
		if !route.ValidName(name) {
			errs = append(errs, fmt.Errorf("%s: a policy's name is of letters, digits, \"-\", \"_\" and \".\", at most 64, and not \"latest\"", key))
			continue
		}
		if wrong := p.Validate(); len(wrong) > 0 {
			for _, err := range wrong {
				errs = append(errs, fmt.Errorf("%s.%w", key, err))
			}
			continue
		}
		out[name] = &policy{Policy: p, name: name}
	}
	for name, p := range out {
		if p.Shadow != "" && out[p.Shadow] == nil {
			errs = append(errs, fmt.Errorf("policies.%s.shadow: there is no policy %q", name, p.Shadow))
		}
		p.Fill(c.ClassifierTimeout)
		p.version = p.Version()
	}
	for i, q := range c.Quality {
		if q.Models == "" || q.Quality < 0 || q.Quality > 1 {
			errs = append(errs, fmt.Errorf("quality[%d]: needs models, and a quality from 0 to 1", i))
		}
	}
	return out, errors.Join(errs...)
}

// policyNames are the names of policies in order, for errors.
func policyNames(policies map[string]*policy) string {
	return strings.Join(slices.Sorted(maps.Keys(policies)), ", ")
}
